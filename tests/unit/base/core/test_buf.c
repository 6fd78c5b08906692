#include "base/core/buf.h"

#include "dies.h"
#include "tap.h"

TEST("bytes up to the ceiling go in, one more is LIMIT and changes nothing")
{
    struct err err = { 0 };
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 5);
    EXPECT_OK(buf_append(&b, SPAN("abc"), &err), &err);
    EXPECT_ERR(buf_append(&b, SPAN("def"), &err), &err, ERR_LIMIT);
    EXPECT_STR(err.text, "more than 5 bytes");
    EXPECT_STR(b.data, "abc");
    EXPECT_INT(buf_room(&b), 2);
    EXPECT_OK(buf_append(&b, SPAN("de"), &err), &err);
    EXPECT_STR(b.data, "abcde");
    EXPECT_INT(buf_room(&b), 0);
    EXPECT_OK(buf_append(&b, SPAN(""), &err), &err);
}

TEST("memory grows towards the ceiling and not past it")
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++)
        buf_putc(&b, (char)('a' + i % 26));
    EXPECT_INT(b.len, 1000);
    EXPECT(b.cap <= 1001);
    EXPECT_INT(b.data[999], 'a' + 999 % 26);
    EXPECT_INT(b.data[1000], '\0');
}

static void put_past_ceiling(void)
{
    struct buf b;
    buf_init(&b, 3);
    buf_puts(&b, "four");
}

static void print_past_ceiling(void)
{
    struct buf b;
    buf_init(&b, 3);
    buf_printf(&b, "%d", 1234);
}

static void reserve_past_ceiling(void)
{
    struct buf b;
    buf_init(&b, 3);
    buf_reserve(&b, SIZE_MAX);
}

static void grow_past_reserve(void)
{
    struct buf b;
    buf_init(&b, 1000);
    buf_reserve(&b, 10);
    buf_grown(&b, 900);
}

TEST("our own text past the ceiling ends the program")
{
    EXPECT(dies(put_past_ceiling));
    EXPECT(dies(print_past_ceiling));
    EXPECT(dies(reserve_past_ceiling));
    EXPECT(dies(grow_past_reserve));
}

TEST("text is printed after what is there")
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 100);
    buf_puts(&b, "layers=");
    buf_printf(&b, "%d %s", 3, "");
    buf_putc(&b, '\0');
    buf_puts(&b, "z");
    EXPECT(span_equal(buf_span(&b), SPAN("layers=3 \0z")));
}

TEST("reserved bytes count only once they are told")
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 100);
    memcpy(buf_reserve(&b, 50), "digest", 6);
    EXPECT_INT(b.len, 0);
    buf_grown(&b, 6);
    EXPECT_STR(b.data, "digest");
}

TEST("a buffer can be emptied, taken and filled again under the same ceiling")
{
    AUTO_VALUE(buf_clear) struct buf b;
    buf_init(&b, 4);
    buf_puts(&b, "one");
    buf_reset(&b);
    EXPECT_STR(b.data, "");
    buf_puts(&b, "two");
    AUTO_FREE char *text = buf_take(&b), *empty = buf_take(&b);
    EXPECT_STR(text, "two");
    EXPECT_STR(empty, "");
    EXPECT(!b.data && b.len == 0 && b.ceiling == 4);
    buf_puts(&b, "four");
    buf_clear(&b);
    EXPECT(!b.data && buf_room(&b) == 4);
}

TAP_MAIN()
