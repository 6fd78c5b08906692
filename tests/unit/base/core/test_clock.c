#include "base/core/clock.h"

#include "tap.h"

static const struct {
    const char *text;
    int64_t seconds;
    long nanoseconds;
    const char *printed; /* NULL: as it was read */
} times[] = {
    /* seconds by date -u -d TEXT +%s */
    { "1970-01-01T00:00:00Z", 0, 0, NULL },
    { "2023-11-14T22:13:20Z", 1700000000, 0, NULL },
    { "2023-11-14T23:13:20+01:00", 1700000000, 0, "2023-11-14T22:13:20Z" },
    { "2023-11-14T14:43:20-07:30", 1700000000, 0, "2023-11-14T22:13:20Z" },
    { "2023-11-14T22:13:20+00:00", 1700000000, 0, "2023-11-14T22:13:20Z" },
    { "2024-02-29T12:00:00.5Z", 1709208000, 500000000, NULL },
    { "2024-02-29T12:00:00.000000001Z", 1709208000, 1, NULL },
    { "2024-02-29T12:00:00.120Z", 1709208000, 120000000, "2024-02-29T12:00:00.12Z" },
    { "2024-02-29T12:00:00.1234567899Z", 1709208000, 123456789, "2024-02-29T12:00:00.123456789Z" },
    { "2024-02-29T12:00:00.000Z", 1709208000, 0, "2024-02-29T12:00:00Z" },
    { "0001-01-01T00:00:00Z", -62135596800, 0, NULL }, /* Go's zero time */
    { "1969-12-31T23:59:59.25Z", -1, 250000000, NULL },
    { "9999-12-31T23:59:59Z", 253402300799, 0, NULL },
};

TEST("times are read as date(1) reads them and printed as Go prints them")
{
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct err err = { 0 };
        struct timespec t = { 0 };
        char text[TIME_TEXT_MAX];
        EXPECT_OK(time_parse(times[i].text, &t, &err), &err);
        EXPECT_INT(t.tv_sec, times[i].seconds);
        EXPECT_INT(t.tv_nsec, times[i].nanoseconds);
        time_print(t, text);
        EXPECT_STR(text, times[i].printed ? times[i].printed : times[i].text);
    }
}

TEST("what RFC 3339 does not write is refused")
{
    static const char *const refused[] = {
        "",
        "2023-11-14",
        "2023-11-14T22:13:20",
        "2023-11-14 22:13:20Z",
        "2023-11-14T22:13:20z",
        "2023-11-14T22:13:20ZZ",
        "2023-11-14T22:13Z",
        "2023-11-14T24:00:00Z",
        "2023-11-14T23:60:00Z",
        "2023-11-14T23:59:60Z",
        "2023-02-29T00:00:00Z",
        "2023-04-31T00:00:00Z",
        "2023-00-10T00:00:00Z",
        "2023-01-00T00:00:00Z",
        "2023-13-10T00:00:00Z",
        "2023-1-10T00:00:00Z",
        "23-01-10T00:00:00Z",
        "2023-01-10T00:00:00.Z",
        "2023-01-10T00:00:00,5Z",
        "2023-01-10T00:00:00+1:00",
        "2023-01-10T00:00:00+24:00",
        "2023-01-10T00:00:00+01:60",
        "2023-01-10T00:00:00+0100",
        "-023-01-10T00:00:00Z",
        "2023-01-10T00:00:+1Z",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct err err = { 0 };
        struct timespec t;
        if (time_parse(refused[i], &t, &err) == 0 || err.kind != ERR_INVALID)
            tap_fail(__FILE__, __LINE__, "\"%s\" was taken", refused[i]);
    }
}

TEST("a time beyond four-digit years is printed as the nearest within")
{
    char text[TIME_TEXT_MAX];
    time_print((struct timespec){ .tv_sec = INT64_MAX }, text);
    EXPECT_STR(text, "9999-12-31T23:59:59Z");
    time_print((struct timespec){ .tv_sec = INT64_MIN }, text);
    EXPECT_STR(text, "0000-01-01T00:00:00Z");
}

TEST("with SOURCE_DATE_EPOCH the clock stands still")
{
    struct err err = { 0 };
    struct clock c;
    EXPECT_OK(clock_init(&c, "1700000000", &err), &err);
    EXPECT_INT(clock_now(&c).tv_sec, 1700000000);
    EXPECT_INT(clock_now(&c).tv_nsec, 0);
    EXPECT_OK(clock_init(&c, "0", &err), &err);
    EXPECT_INT(clock_now(&c).tv_sec, 0);
}

TEST("without it the clock is the machine's")
{
    struct err err = { 0 };
    struct clock c;
    REQUIRE_OK(clock_init(&c, NULL, &err), &err);
    struct timespec before, now, after;
    clock_gettime(CLOCK_REALTIME, &before);
    now = clock_now(&c);
    clock_gettime(CLOCK_REALTIME, &after);
    EXPECT(before.tv_sec <= now.tv_sec && now.tv_sec <= after.tv_sec);
    uint64_t first = clock_monotonic_ns(), second = clock_monotonic_ns();
    EXPECT(first <= second);
    EXPECT(clock_monotonic_ms() >= second / 1000000);
}

TEST("an epoch that is no number is refused with a remedy")
{
    static const char *const refused[] = {
        "", "-1", "now", "12.5", " 12", "253402300800", "99999999999999999999"
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct err err = { 0 };
        struct clock c;
        EXPECT_ERR(clock_init(&c, refused[i], &err), &err, ERR_INVALID);
        EXPECT_CONTAINS(err.text, "SOURCE_DATE_EPOCH");
        EXPECT_CONTAINS(err.hint, "seconds since 1970");
    }
}

TAP_MAIN()
