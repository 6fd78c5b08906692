/* The index: transactions, other processes, files that are none. */
#include <sys/wait.h>

#include "fixture.h"

static struct db *open_db(void)
{
    struct db *db = NULL;
    AUTO_FREE char *path = xasprintf("%s/kiln.db", tap_dir());
    EXPECT_OK(db_open(path, false, &db, &err), &err);
    EXPECT_OK(db_apply(db, "CREATE TABLE IF NOT EXISTS t (a INTEGER, b TEXT, c BLOB)", &err), &err);
    return db;
}

static void insert(struct db *db, int64_t a)
{
    struct query *q = NULL;
    REQUIRE_OK(query_open(db, "INSERT INTO t VALUES (?1, ?2, ?3)", &q, &err), &err);
    query_int(q, 1, a);
    query_text(q, 2, "text");
    query_blob(q, 3, SPAN("a\0b"));
    EXPECT_OK(query_run(q, &err), &err);
}

static int64_t count(struct db *db)
{
    AUTO(query_close) struct query *q = NULL;
    bool has_row = false;
    EXPECT_OK(query_open(db, "SELECT count(*) FROM t", &q, &err), &err);
    EXPECT_OK(query_step(q, &has_row, &err), &err);
    return has_row ? query_get_int(q, 0) : -1;
}

TEST("values come back as they were bound")
{
    AUTO(db_close) struct db *db = open_db();
    insert(db, INT64_MIN);
    AUTO(query_close) struct query *q = NULL;
    bool has_row = false;
    REQUIRE_OK(query_open(db, "SELECT a, b, c, NULL FROM t", &q, &err), &err);
    REQUIRE_OK(query_step(q, &has_row, &err), &err);
    REQUIRE(has_row);
    EXPECT_INT(query_get_int(q, 0), INT64_MIN);
    EXPECT_STR(query_get_text(q, 1), "text");
    EXPECT(span_equal(query_get_blob(q, 2), SPAN("a\0b")));
    EXPECT(query_get_text(q, 3) == NULL);
}

TEST("a transaction that is taken back leaves nothing, nested ones included")
{
    AUTO(db_close) struct db *db = open_db();
    REQUIRE_OK(db_begin(db, &err), &err);
    insert(db, 1);
    REQUIRE_OK(db_begin(db, &err), &err);
    insert(db, 2);
    EXPECT_OK(db_end(db, false, &err), &err);
    EXPECT_OK(db_end(db, true, &err), &err);
    EXPECT_INT(count(db), 0);
    insert(db, 3);
    EXPECT_INT(count(db), 1);
}

TEST("two processes write side by side and lose nothing")
{
    AUTO(db_close) struct db *db = open_db();
    pid_t pid = fork();
    if (pid == 0) {
        struct db *own = open_db();
        for (int i = 0; i < 200; i++)
            insert(own, i);
        db_close(own);
        _exit(tap.has_failed);
    }
    for (int i = 0; i < 200; i++)
        insert(db, i);
    int status = 1;
    waitpid(pid, &status, 0);
    EXPECT_INT(status, 0);
    EXPECT_INT(count(db), 400);
}

TEST("a file that is no database is named, with the remedy")
{
    AUTO_FREE char *path = xasprintf("%s/kiln.db", tap_dir());
    shell("yes garbage | head -c 8192 > %s", path);
    struct db *db = NULL;
    EXPECT_ERR(db_open(path, false, &db, &err), &err, ERR_CORRUPT);
    EXPECT_CONTAINS(err.text, path);
    EXPECT_CONTAINS(err.hint, "move");
}

TEST("a store whose index a newer kiln made is refused, for reading too")
{
    for (int i = 0; i < 2; i++) {
        AUTO(store_close) struct store *st = open_store(NULL);
        EXPECT_OK(db_apply(store_db(st), "PRAGMA user_version = 2", &err), &err);
        AUTO_FREE char *path = xstrdup(store_path(st));
        struct store *again = NULL;
        const struct store_options o = { .is_readonly = i == 1 };
        EXPECT_ERR(store_open(path, &o, &again, &err), &err, ERR_UNSUPPORTED);
        EXPECT_CONTAINS(err.text, "its index is of version 2, not 1");
        err_clear(&err);
        EXPECT_OK(db_apply(store_db(st), "PRAGMA user_version = 1", &err), &err);
    }
}

TAP_MAIN()
