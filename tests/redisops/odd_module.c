/* A Redis module for the tests: a type of its own, and documents of the JSON module's type
 * name with the four reading commands that the console sends. Values are plain strings, and
 * what a command says of one depends on its first byte. The server's own header is not
 * installed everywhere, so the few functions used are declared here. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct Ctx Ctx;
typedef struct Str Str;
typedef struct Key Key;
typedef struct Type Type;
typedef struct IO IO;
typedef int (*Command)(Ctx *, Str **, int);
typedef struct {
    uint64_t version;
    void *(*load)(IO *, int);
    void (*save)(IO *, void *);
    void (*rewrite)(IO *, Str *, void *);
    size_t (*usage)(const void *);
    void (*digest)(void *, void *);
    void (*release)(void *);
} Methods;
typedef struct { char *bytes; size_t length; } Value;

static int (*CreateCommand)(Ctx *, const char *, Command, const char *, int, int, int);
static int (*SetModuleAttribs)(Ctx *, const char *, int, int);
static Type *(*CreateDataType)(Ctx *, const char *, int, Methods *);
static void *(*OpenKey)(Ctx *, Str *, int);
static void (*CloseKey)(Key *);
static int (*SetValue)(Key *, Type *, void *);
static Type *(*GetType)(Key *);
static void *(*GetValue)(Key *);
static const char *(*Text)(const Str *, size_t *);
static int (*ReplyInteger)(Ctx *, long long);
static int (*ReplyBuffer)(Ctx *, const char *, size_t);
static int (*ReplyArray)(Ctx *, long);
static int (*ReplyError)(Ctx *, const char *);
static void (*Save)(IO *, const char *, size_t);
static char *(*Load)(IO *, size_t *);
static Type *odd, *json;

static void *load(IO *io, int version) {
    Value *value = malloc(sizeof *value);
    (void)version;
    value->bytes = Load(io, &value->length);
    return value;
}
static void save(IO *io, void *v) { Save(io, ((Value *)v)->bytes, ((Value *)v)->length); }
static void rewrite(IO *io, Str *key, void *v) { (void)io; (void)key; (void)v; }
static size_t usage(const void *v) { return ((const Value *)v)->length; }
static void release(void *v) { free(v); }

static int put(Ctx *ctx, Str **argv, Type *type) {
    size_t length;
    const char *bytes = Text(argv[2], &length);
    Value *value = malloc(sizeof *value + length);
    Key *key = OpenKey(ctx, argv[1], 3);
    value->bytes = (char *)(value + 1);
    value->length = length;
    memcpy(value->bytes, bytes, length);
    SetValue(key, type, value);
    CloseKey(key);
    return ReplyInteger(ctx, 1);
}
static int set_odd(Ctx *ctx, Str **argv, int argc) { (void)argc; return put(ctx, argv, odd); }
static int set_json(Ctx *ctx, Str **argv, int argc) { (void)argc; return put(ctx, argv, json); }

static Value *document(Ctx *ctx, Str **argv) {
    Key *key = OpenKey(ctx, argv[1], 1);
    Value *value = key && GetType(key) == json ? GetValue(key) : NULL;
    if (key) CloseKey(key);
    if (!value) ReplyError(ctx, "WRONGTYPE Operation against a key holding the wrong kind of value");
    return value;
}
static int type(Ctx *ctx, Str **argv, int argc) {
    Value *value = document(ctx, argv);
    (void)argc;
    if (!value) return 0;
    return value->bytes[0] == '{' ? ReplyBuffer(ctx, "object", 6)
         : value->bytes[0] == '[' ? ReplyBuffer(ctx, "array", 5) : ReplyBuffer(ctx, "string", 6);
}
static int get(Ctx *ctx, Str **argv, int argc) {
    Value *value = document(ctx, argv);
    (void)argc;
    return value ? ReplyBuffer(ctx, value->bytes, value->length) : 0;
}
static int size(Ctx *ctx, Str **argv, int argc) {
    (void)argc;
    return document(ctx, argv) ? ReplyInteger(ctx, 2) : 0;
}
static int names(Ctx *ctx, Str **argv, int argc) {
    (void)argc;
    if (!document(ctx, argv)) return 0;
    ReplyArray(ctx, 2);
    ReplyBuffer(ctx, "first", 5);
    return ReplyBuffer(ctx, "second", 6);
}

#define FIND(name, function) if (find("RedisModule_" name, (void *)&function)) return 1

int RedisModule_OnLoad(Ctx *ctx, Str **argv, int argc) {
    int (*find)(const char *, void *) = ((int (**)(const char *, void *))ctx)[0];
    Methods methods = {1, load, save, rewrite, usage, NULL, release};
    (void)argv; (void)argc;
    FIND("CreateCommand", CreateCommand);
    FIND("SetModuleAttribs", SetModuleAttribs);
    FIND("CreateDataType", CreateDataType);
    FIND("OpenKey", OpenKey);
    FIND("CloseKey", CloseKey);
    FIND("ModuleTypeSetValue", SetValue);
    FIND("ModuleTypeGetType", GetType);
    FIND("ModuleTypeGetValue", GetValue);
    FIND("StringPtrLen", Text);
    FIND("ReplyWithLongLong", ReplyInteger);
    FIND("ReplyWithStringBuffer", ReplyBuffer);
    FIND("ReplyWithArray", ReplyArray);
    FIND("ReplyWithError", ReplyError);
    FIND("SaveStringBuffer", Save);
    FIND("LoadStringBuffer", Load);
    SetModuleAttribs(ctx, "odd", 1, 1);
    if (!(odd = CreateDataType(ctx, "odd-thing", 0, &methods))) return 1;
    if (!(json = CreateDataType(ctx, "ReJSON-RL", 0, &methods))) return 1;
    return CreateCommand(ctx, "odd.set", set_odd, "write", 1, 1, 1)
        || CreateCommand(ctx, "json.set", set_json, "write", 1, 1, 1)
        || CreateCommand(ctx, "json.type", type, "readonly", 1, 1, 1)
        || CreateCommand(ctx, "json.get", get, "readonly", 1, 1, 1)
        || CreateCommand(ctx, "json.objlen", size, "readonly", 1, 1, 1)
        || CreateCommand(ctx, "json.arrlen", size, "readonly", 1, 1, 1)
        || CreateCommand(ctx, "json.objkeys", names, "readonly", 1, 1, 1);
}
