#include "base/core/map.h"

#include "base/core/buf.h"
#include "base/core/mem.h"
#include "tap.h"

/* "key=value key=value", in the map's order. */
static char *print(const struct map *m)
{
    struct buf b;
    buf_init(&b, 100000);
    map_each (m, e)
        buf_printf(&b, "%s%s=%s", b.len ? " " : "", e->key, (const char *)e->value);
    return buf_take(&b);
}

TEST("entries keep their order, replaced ones their place")
{
    AUTO_VALUE(map_clear) struct map m = STR_MAP;
    map_set_str(&m, "os", "linux");
    map_set_str(&m, "arch", "arm");
    map_set_str(&m, "variant", "v7");
    map_set_str(&m, "arch", "arm64");
    AUTO_FREE char *text = print(&m);
    EXPECT_STR(text, "os=linux arch=arm64 variant=v7");
    EXPECT_STR(map_find_str(&m, "arch"), "arm64");
    EXPECT(map_find(&m, "none") == NULL);
    EXPECT(map_has(&m, "os") && !map_has(&m, "o"));
}

TEST("removal keeps the order of the others")
{
    AUTO_VALUE(map_clear) struct map m = STR_MAP;
    for (const char *key = "abcde"; *key; key++)
        map_set_str(&m, (char[]){ *key, 0 }, (char[]){ *key, 0 });
    EXPECT(map_remove(&m, "b"));
    EXPECT(!map_remove(&m, "b"));
    EXPECT(map_remove(&m, "e"));
    map_set_str(&m, "b", "again");
    AUTO_FREE char *text = print(&m);
    EXPECT_STR(text, "a=a c=c d=d b=again");
}

TEST("sorting is by bytes and lookup works afterwards")
{
    AUTO_VALUE(map_clear) struct map m = STR_MAP;
    static const char *const keys[] = { "b", "a", "B", "", "\xff", "ab", "z1", "z10", "z2", "y" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        map_set_str(&m, keys[i], "1");
    map_sort(&m);
    AUTO_FREE char *text = print(&m);
    EXPECT_STR(text, "=1 B=1 a=1 ab=1 b=1 y=1 z1=1 z10=1 z2=1 \xff=1");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        EXPECT(map_has(&m, keys[i]));
}

TEST("many entries are found, through removals, by any length of key")
{
    enum { N = 5000 };
    AUTO_VALUE(map_clear) struct map m = { 0 };
    static int values[N];
    char key[64];
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "%0*d", 1 + i % 40, i);
        map_set(&m, key, &values[i]);
        if (i % 3 == 0 && i > 0) {
            snprintf(key, sizeof key, "%0*d", 1 + (i / 2) % 40, i / 2);
            map_remove(&m, key);
            map_set(&m, key, &values[i / 2]);
        }
    }
    EXPECT_INT(m.n, N);
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "%0*d", 1 + i % 40, i);
        if (map_find(&m, key) != &values[i])
            tap_fail(__FILE__, __LINE__, "key %s is lost", key);
    }
    EXPECT(!map_has(&m, "nothing"));
}

static int n_freed;

static void count_free(void *value)
{
    n_freed++;
    free(value);
}

TEST("a map that owns its values frees each once")
{
    struct map m = { .free_value = count_free };
    n_freed = 0;
    char *kept = xstrdup("v");
    map_set(&m, "a", kept);
    map_set(&m, "a", kept); /* the same value: not freed */
    EXPECT_INT(n_freed, 0);
    map_set(&m, "a", xstrdup("w"));
    EXPECT_INT(n_freed, 1);
    map_set(&m, "b", xstrdup("x"));
    map_remove(&m, "b");
    EXPECT_INT(n_freed, 2);
    map_clear(&m);
    EXPECT_INT(n_freed, 3);
    EXPECT(m.n == 0 && m.free_value == count_free);
    map_set(&m, "again", xstrdup("y"));
    map_clear(&m);
    map_clear(&m);
    EXPECT_INT(n_freed, 4);
}

TEST("a copy has its own strings and takes what is new")
{
    AUTO_VALUE(map_clear) struct map from = STR_MAP;
    AUTO_VALUE(map_clear) struct map to = STR_MAP;
    map_set_str(&from, "a", "new");
    map_set_str(&from, "b", "2");
    map_set_str(&to, "a", "old");
    map_copy_str(&to, &from);
    map_clear(&from);
    AUTO_FREE char *text = print(&to);
    EXPECT_STR(text, "a=new b=2");
}

TEST("an empty map answers")
{
    struct map m = { 0 };
    EXPECT(!map_find(&m, "") && !map_remove(&m, "a"));
    map_sort(&m);
    map_each (&m, e)
        tap_fail(__FILE__, __LINE__, "%s is in an empty map", e->key);
    map_clear(&m);
}

TAP_MAIN()
