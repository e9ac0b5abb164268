// A resident function that answers with what stands in its input file: the least that a program of this kind does.
//
// One call a line on standard input, {"id":"…","input":"PATH" or null,…}; one answer a line on standard output,
// {"id":"…","ok":true,"result":"…"}. All lines that one read brought are answered by one write.

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct text {
    char *bytes;
    size_t length, room;
};

static void reserve(struct text *text, size_t more) {
    if (text->length + more <= text->room)
        return;
    text->room = (text->length + more) * 2;
    text->bytes = realloc(text->bytes, text->room);
    if (!text->bytes)
        exit(3);
}

static void append(struct text *text, const char *bytes, size_t length) {
    reserve(text, length);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void append_byte(struct text *text, char byte) {
    append(text, &byte, 1);
}

static void append_literal(struct text *text, const char *literal) {
    append(text, literal, strlen(literal));
}

// Bytes as the inside of a JSON string. What is no ASCII goes through as it is.
static void append_escaped(struct text *text, const char *bytes, size_t length) {
    size_t plain = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 32 && c != '"' && c != '\\')
            continue;
        append(text, bytes + plain, i - plain);
        plain = i + 1;
        char code[8];
        if (c == '"' || c == '\\')
            snprintf(code, sizeof code, "\\%c", c);
        else if (c == '\n')
            strcpy(code, "\\n");
        else
            snprintf(code, sizeof code, "\\u%04x", c);
        append_literal(text, code);
    }
    append(text, bytes + plain, length - plain);
}

static const char *space(const char *at, const char *end) {
    while (at < end && isspace((unsigned char)*at))
        at++;
    return at;
}

static void append_character(struct text *text, unsigned code) {
    char bytes[4];
    if (code < 0x80) {
        append_byte(text, (char)code);
    } else if (code < 0x800) {
        bytes[0] = (char)(0xc0 | code >> 6), bytes[1] = (char)(0x80 | (code & 63));
        append(text, bytes, 2);
    } else if (code < 0x10000) {
        bytes[0] = (char)(0xe0 | code >> 12), bytes[1] = (char)(0x80 | (code >> 6 & 63)), bytes[2] = (char)(0x80 | (code & 63));
        append(text, bytes, 3);
    } else {
        bytes[0] = (char)(0xf0 | code >> 18), bytes[1] = (char)(0x80 | (code >> 12 & 63));
        bytes[2] = (char)(0x80 | (code >> 6 & 63)), bytes[3] = (char)(0x80 | (code & 63));
        append(text, bytes, 4);
    }
}

static const char *hexadecimal(const char *at, const char *end, unsigned *code) {
    *code = 0;
    for (int i = 0; i < 4; i++, at++) {
        if (at == end || !isxdigit((unsigned char)*at))
            return NULL;
        *code = *code * 16 + (unsigned)(isdigit((unsigned char)*at) ? *at - '0' : (*at | 32) - 'a' + 10);
    }
    return at;
}

// The string that begins at the quotation mark `at`, into `value`; what follows it, or NULL where it is none.
static const char *string(const char *at, const char *end, struct text *value) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    value->length = 0;
    if (at == end || *at++ != '"')
        return NULL;
    for (;;) {
        const char *plain = at;
        while (at < end && *at != '"' && *at != '\\')
            at++;
        append(value, plain, (size_t)(at - plain));
        if (at == end)
            return NULL;
        if (*at++ == '"')
            return at;
        if (at == end)
            return NULL;
        if (*at == 'u') {
            unsigned code, low;
            if (!(at = hexadecimal(at + 1, end, &code)))
                return NULL;
            if (code >> 10 == 0x36 && end - at > 6 && at[0] == '\\' && at[1] == 'u') {
                if (!(at = hexadecimal(at + 2, end, &low)))
                    return NULL;
                code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
            }
            append_character(value, code);
        } else {
            const char *found = *at ? strchr(from, *at) : NULL;
            if (!found)
                return NULL;
            append_byte(value, to[found - from]);
            at++;
        }
    }
}

// What follows the value at `at`, whatever it is; NULL where it does not end.
static const char *skip(const char *at, const char *end) {
    static struct text ignored;
    int depth = 0;
    do {
        at = space(at, end);
        if (at == end)
            return NULL;
        if (*at == '"') {
            if (!(at = string(at, end, &ignored)))
                return NULL;
        } else if (*at == '{' || *at == '[') {
            depth++, at++;
        } else if (*at == '}' || *at == ']') {
            depth--, at++;
        } else if (*at == ',' || *at == ':') {
            at++;
        } else {
            while (at < end && !strchr(",:}] \t\r\n", *at))
                at++;
        }
    } while (depth > 0);
    return at;
}

struct call {
    struct text id, input;
    bool has_input;
};

static bool parse(const char *at, const char *end, struct call *call) {
    static struct text key;
    call->id.length = 0, call->has_input = false;
    at = space(at, end);
    if (at == end || *at++ != '{')
        return false;
    for (;;) {
        if (!(at = string(space(at, end), end, &key)))
            return false;
        at = space(at, end);
        if (at == end || *at++ != ':')
            return false;
        at = space(at, end);
        bool is_text = at < end && *at == '"';
        if (is_text && key.length == 2 && !memcmp(key.bytes, "id", 2)) {
            at = string(at, end, &call->id);
        } else if (is_text && key.length == 5 && !memcmp(key.bytes, "input", 5)) {
            at = string(at, end, &call->input);
            append_byte(&call->input, 0);
            call->has_input = true;
        } else {
            at = skip(at, end);
        }
        if (!at)
            return false;
        at = space(at, end);
        if (at == end)
            return false;
        if (*at == '}')
            return call->id.length > 0;
        if (*at++ != ',')
            return false;
    }
}

// The whole file; false with errno where it cannot be read.
static bool contents(const char *path, struct text *bytes) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t count;
    bytes->length = 0;
    do {
        reserve(bytes, 4096);
        count = read(file, bytes->bytes + bytes->length, bytes->room - bytes->length);
        if (count > 0)
            bytes->length += (size_t)count;
        // A short read is the end of a regular file.
    } while (count > 0 && bytes->length == bytes->room);
    int error = errno;
    close(file);
    errno = error;
    return count >= 0;
}

static void answer(const char *line, const char *end, struct text *out) {
    static struct call call;
    static struct text bytes;
    if (!parse(line, end, &call)) {
        fprintf(stderr, "echo: this line is no call: %.*s\n", (int)(end - line), line);
        return;
    }
    bytes.length = 0;
    bool good = !call.has_input || contents(call.input.bytes, &bytes);
    append_literal(out, "{\"id\":\"");
    append_escaped(out, call.id.bytes, call.id.length);
    if (good) {
        append_literal(out, "\",\"ok\":true,\"result\":\"");
        append_escaped(out, bytes.bytes, bytes.length);
    } else {
        append_literal(out, "\",\"ok\":false,\"error\":\"");
        const char *reason = strerror(errno);
        append_escaped(out, reason, strlen(reason));
    }
    append_literal(out, "\"}\n");
}

int main(void) {
    struct text in = {0}, out = {0};
    for (;;) {
        reserve(&in, 65536);
        ssize_t count = read(0, in.bytes + in.length, in.room - in.length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0;
        size_t searched = in.length, begin = 0;
        in.length += (size_t)count;
        for (char *end; (end = memchr(in.bytes + searched, '\n', in.length - searched)); searched = begin) {
            answer(in.bytes + begin, end, &out);
            begin = (size_t)(end - in.bytes) + 1;
        }
        memmove(in.bytes, in.bytes + begin, in.length - begin);
        in.length -= begin;
        for (size_t sent = 0; sent < out.length;) {
            ssize_t done = write(1, out.bytes + sent, out.length - sent);
            if (done < 0 && errno != EINTR)
                return 1;
            sent += done > 0 ? (size_t)done : 0;
        }
        out.length = 0;
    }
}
