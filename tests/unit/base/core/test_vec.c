#include "base/core/vec.h"

#include "base/core/mem.h"
#include "tap.h"

struct layer {
    int size;
    const char *name;
};

TEST("items keep their values while the array grows, new ones are zeroed")
{
    vec(struct layer) layers = { 0 };
    for (int i = 0; i < 1000; i++) {
        struct layer *l = vec_push(&layers);
        EXPECT(l->size == 0 && !l->name);
        l->size = i;
        l->name = "x";
    }
    EXPECT_INT(layers.n, 1000);
    int sum = 0;
    vec_each (&layers, l)
        sum += l->size;
    EXPECT_INT(sum, 499500);
    layers.n--; /* what was there before is not seen again */
    EXPECT(!vec_push(&layers)->name);
    vec_clear(&layers);
    EXPECT(!layers.items && layers.n == 0 && layers.cap == 0);
    vec_each (&layers, l)
        tap_fail(__FILE__, __LINE__, "an item in an empty array");
}

TEST("a list of strings owns its strings")
{
    struct str_list a = { 0 }, b = { 0 };
    char text[] = "one";
    str_list_push(&a, text);
    text[0] = 'X';
    str_list_take(&a, xstrdup("two"));
    str_list_push(&b, "zero");
    str_list_copy(&b, &a);
    str_list_clear(&a);
    EXPECT_INT(a.n, 0);
    REQUIRE(b.n == 3);
    EXPECT_STR(b.items[0], "zero");
    EXPECT_STR(b.items[1], "one");
    EXPECT_STR(b.items[2], "two");
    EXPECT_INT(str_list_has(&b, "two"), 1);
    EXPECT_INT(str_list_has(&b, "tw"), 0);
    str_list_clear(&b);
    str_list_clear(&b);
}

TAP_MAIN()
