/* engine/attest/internal.h - what the files of the room share. */
#pragma once
#include "base/codec/json.h"
#include "engine/graph/graph.h"

/* The operation as Go prints BuildKit's protobuf struct: {"Op":{"exec":{...}},"platform":...}. */
struct json *op_json(const struct vertex *v);
