#include "fixture.h"
#include "image/layer/change.h"
#include "image/layer/whiteout.h"

TEST("paths are ordered as a walk visits them")
{
    static const char *const order[] = { "a",  "a/b",   "a/b/c", "a/b!", "a/bb",
                                         "a!", "a.txt", "aa",    "b",    "\xff" };
    for (size_t i = 0; i + 1 < sizeof order / sizeof *order; i++) {
        EXPECT(change_path_compare(order[i], order[i + 1]) < 0);
        EXPECT(change_path_compare(order[i + 1], order[i]) > 0);
        EXPECT_INT(change_path_compare(order[i], order[i]), 0);
    }
}

TEST("a list is sorted, and what is in it is found")
{
    AUTO(change_list_free) struct change_list *l = change_list_new();
    EXPECT(!change_list_find(l, "a"));
    change_list_add(l, "b", CHANGE_DELETE);
    change_list_add(l, "a.txt", CHANGE_ADD);
    change_list_add(l, "a/x", CHANGE_ADD);
    change_list_add(l, "a", CHANGE_MODIFY);
    change_list_sort(l);
    REQUIRE(l->n == 4);
    EXPECT_STR(l->items[0].path, "a");
    EXPECT_STR(l->items[1].path, "a/x");
    EXPECT_STR(l->items[2].path, "a.txt");
    EXPECT_STR(l->items[3].path, "b");
    const struct change *found = change_list_find(l, "b");
    REQUIRE(found);
    EXPECT_STR(change_kind_name(found->kind), "delete");
    EXPECT(!change_list_find(l, "a/y"));
}

TEST("names of whiteouts are told from others")
{
    static const struct {
        const char *path;
        enum whiteout_kind kind;
        const char *name;
    } rows[] = {
        { "a/b", WHITEOUT_NONE, NULL },
        { "", WHITEOUT_NONE, NULL },
        { ".whx", WHITEOUT_NONE, NULL },
        { "a/.wh.b", WHITEOUT_NAME, "b" },
        { ".wh..hidden", WHITEOUT_NAME, ".hidden" },
        { ".wh.a.wh.b", WHITEOUT_NAME, "a.wh.b" },
        { ".wh..wh..opq", WHITEOUT_OPAQUE, NULL },
        { "a/b/.wh..wh..opq", WHITEOUT_OPAQUE, NULL },
        { ".wh..wh.plnk", WHITEOUT_META, NULL },
        { ".wh..wh.plnk/1.2", WHITEOUT_META, NULL },
        { "a/.wh..wh..opq/b", WHITEOUT_META, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = { 0 };
        enum whiteout_kind kind;
        const char *name;
        EXPECT_OK(whiteout_parse(rows[i].path, &kind, &name, &err), &err);
        EXPECT_INT(kind, rows[i].kind);
        EXPECT_STR(name, rows[i].name);
    }
}

TEST("the whiteout of a path")
{
    AUTO_FREE char *deep = whiteout_path("a/b/c"), *top = whiteout_path("c");
    EXPECT_STR(deep, "a/b/.wh.c");
    EXPECT_STR(top, ".wh.c");
}

TAP_MAIN()
