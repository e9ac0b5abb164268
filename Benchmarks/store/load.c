// Sends prepared HTTP/1.1 requests over many kept connections and checks each answer: the load of the store's benchmark.
//
//     load PORT CONNECTIONS SECONDS REQUESTS PAYLOAD [loop]
//
// REQUESTS is a file of records (struct record, then the head's bytes, padded to 8), made by load.py: signed before, so
// that nothing is computed here. Bodies come from the file PAYLOAD by sendfile, answers are dropped in the kernel, so
// that one thread drives far more than any server answers on the same cores. No request is begun after SECONDS; each is
// sent once unless `loop` is given. Prints one line of JSON. An answer counts only with a 2xx status and the length that
// its record wants.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_ONLY = 1, AT_LEAST = 2 };  // Flags: the answer has no body; `want` is the least length.
enum { BUFFER = 32768, SMALL = 131072, GRACE = 60 };

struct record {
    uint32_t head_length, flags;
    uint64_t body_offset, body_length;
    int64_t want;  // Length of the answer's body; -1 for any.
};

enum answer { HEADERS, LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER };

struct connection {
    int fd;
    const struct record *request;
    uint64_t sent;
    uint64_t began;
    enum answer state;
    bool busy, writes, closes, used, retried;
    int status;
    int64_t announced;      // Content-Length, or -1.
    uint64_t left, length;  // Bytes of the body or chunk to come; bytes of the body so far.
    char line[32];          // A chunk's size line, or the beginning of a trailer's.
    size_t line_length;
    char buffer[BUFFER];
    size_t filled;
};

static int port, epoll_fd, payload_fd;
static const char *payload;
static uint64_t payload_size;
static const struct record **requests;
static size_t request_count, next_request;
static bool loops;
static uint64_t deadline, last_end;
static uint32_t *latencies;
static size_t good, room, bad, reconnects, active;
static uint64_t bytes_in, bytes_out;
static char first_error[400];

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static void note(const char *what, const char *text, size_t length) {
    bad++;
    if (first_error[0])
        return;
    int used = snprintf(first_error, sizeof first_error, "%s ", what);
    for (size_t i = 0; i < length && (size_t)used < sizeof first_error - 2; i++) {
        char c = text[i];
        first_error[used++] = c < 32 || c == '"' || c == '\\' || c == 127 ? ' ' : c;
    }
    first_error[used] = 0;
}

static void begin(struct connection *c);

static void reconnect(struct connection *c) {
    if (c->fd >= 0)
        close(c->fd);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0)
        fail("epoll_ctl");
    c->writes = c->used = false;
}

static void want_writes(struct connection *c, bool writes) {
    if (c->writes == writes)
        return;
    struct epoll_event event = {.events = EPOLLIN | (writes ? EPOLLOUT : 0u), .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
    c->writes = writes;
}

// Sends as much as the socket takes. False where the other side has closed it.
static bool send_more(struct connection *c) {
    const struct record *r = c->request;
    uint64_t total = r->head_length + r->body_length;
    while (c->sent < total) {
        ssize_t count;
        uint64_t done = c->sent > r->head_length ? c->sent - r->head_length : 0;
        uint64_t place = payload_size ? (r->body_offset + done) % payload_size : 0;
        uint64_t run = payload_size - place, rest = r->body_length - done;
        if (run > rest)
            run = rest;
        if (c->sent < r->head_length || run <= SMALL) {
            size_t head = c->sent < r->head_length ? r->head_length - c->sent : 0;
            struct iovec parts[2] = {
                {(char *)(r + 1) + c->sent, head}, {(char *)payload + place, run <= SMALL ? run : 0}};
            struct msghdr message = {.msg_iov = head ? parts : parts + 1, .msg_iovlen = head ? 2 : 1};
            count = sendmsg(c->fd, &message, MSG_NOSIGNAL);
        } else {
            off_t offset = (off_t)place;
            count = sendfile(c->fd, payload_fd, &offset, run);
        }
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN) {
            want_writes(c, true);
            return true;
        }
        if (count <= 0)
            return false;
        c->sent += (uint64_t)count;
        bytes_out += (uint64_t)count;
    }
    want_writes(c, false);
    return true;
}

// The other side closed: once more on a new connection where it was an idle one, else an error.
static void lost(struct connection *c) {
    bool again = c->used && !c->retried && c->filled == 0 && c->state == HEADERS;
    if (!again) {
        note("the connection was closed:", c->buffer, c->filled);
        c->busy = false;
        active--;
    }
    reconnect(c);
    reconnects++;
    if (again) {
        c->retried = true;
        c->sent = 0;
        if (!send_more(c))
            fail("send");
    } else {
        begin(c);
    }
}

static void begin(struct connection *c) {
    if (now() >= deadline || (next_request >= request_count && !loops))
        return;
    c->request = requests[next_request++ % request_count];
    c->sent = c->filled = c->length = c->line_length = 0;
    c->announced = -1;
    c->state = HEADERS;
    c->closes = c->retried = false;
    c->busy = true;
    active++;
    c->began = now();
    if (!send_more(c))
        lost(c);
}

static void finish(struct connection *c) {
    const struct record *r = c->request;
    int64_t length = r->flags & HEAD_ONLY ? c->announced : (int64_t)c->length;
    bool right = r->want < 0 || (r->flags & AT_LEAST ? length >= r->want : length == r->want);
    uint64_t end = now();
    char text[64];
    bool whole = c->sent == r->head_length + r->body_length;
    if (c->status < 200 || c->status > 299 || !right || !whole) {
        snprintf(text, sizeof text, "status %d, length %lld%s:", c->status, (long long)length, whole ? "" : ", early");
        note(text, c->buffer, c->filled);
    } else {
        if (good == room) {
            room = room ? room * 2 : 1 << 16;
            if (!(latencies = realloc(latencies, room * sizeof *latencies)))
                fail("realloc");
        }
        uint64_t taken = (end - c->began) / 1000;
        latencies[good++] = taken > UINT32_MAX ? UINT32_MAX : (uint32_t)taken;
    }
    last_end = end;
    c->busy = false;
    c->used = true;
    active--;
    if (c->closes || !whole) {
        reconnect(c);
        reconnects++;
    }
    begin(c);
}

// A header's value within the head, or NULL.
static const char *header(const char *head, const char *name) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':')
            return line + 2 + length + 1 + strspn(line + 2 + length + 1, " ");
    return NULL;
}

// Body bytes in memory. True where the answer is complete.
static bool take(struct connection *c, const char *data, size_t size) {
    for (size_t i = 0; i < size;) {
        if (c->state == LENGTH || c->state == CHUNK_DATA) {
            uint64_t step = c->left < size - i ? c->left : size - i;
            i += step;
            c->left -= step;
            c->length += step;
            if (c->left == 0 && c->state == LENGTH)
                return true;
            if (c->left == 0)
                c->state = CHUNK_END;
            continue;
        }
        char byte = data[i++];
        if (byte != '\n') {
            if (byte != '\r' && c->line_length < sizeof c->line - 1)
                c->line[c->line_length++] = byte;
            continue;
        }
        c->line[c->line_length] = 0;
        bool empty = c->line_length == 0;
        c->line_length = 0;
        if (c->state == CHUNK_SIZE) {
            c->left = strtoull(c->line, NULL, 16);
            c->state = c->left ? CHUNK_DATA : TRAILER;
        } else if (c->state == CHUNK_END) {
            c->state = CHUNK_SIZE;
        } else if (empty) {
            return true;
        }
    }
    return false;
}

// Reads the head. True where the answer is complete with it.
static bool take_head(struct connection *c, const char *end) {
    size_t head = (size_t)(end - c->buffer) + 4;
    char *stop = (char *)end + 2, kept = *stop;
    *stop = 0;
    c->status = atoi(c->buffer + 9);
    const char *length = header(c->buffer, "content-length");
    const char *transfer = header(c->buffer, "transfer-encoding");
    const char *connection = header(c->buffer, "connection");
    c->announced = length ? strtoll(length, NULL, 10) : -1;
    c->closes = connection && strncasecmp(connection, "close", 5) == 0;
    bool chunked = transfer && strncasecmp(transfer, "chunked", 7) == 0;
    *stop = kept;
    if (c->status < 200) {
        memmove(c->buffer, c->buffer + head, c->filled -= head);
        return false;
    }
    if (c->request->flags & HEAD_ONLY || c->status == 204 || (!chunked && c->announced <= 0))
        return true;
    c->state = chunked ? CHUNK_SIZE : LENGTH;
    c->left = chunked ? 0 : (uint64_t)c->announced;
    return take(c, c->buffer + head, c->filled - head);
}

static void receive(struct connection *c) {
    static char scratch[262144];
    for (;;) {
        ssize_t count;
        // The bytes of a long body are dropped in the kernel; an error's text is wanted.
        bool drop = c->state == LENGTH && c->status < 300;
        if (drop)
            count = recv(c->fd, NULL, c->left > 1 << 30 ? 1 << 30 : c->left, MSG_TRUNC);
        else if (c->state == HEADERS)
            count = recv(c->fd, c->buffer + c->filled, BUFFER - 1 - c->filled, 0);
        else
            count = recv(c->fd, scratch, sizeof scratch, 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (count <= 0) {
            if (c->busy)
                lost(c);
            else
                reconnect(c);
            return;
        }
        if (!c->busy) {
            note("an answer that nobody asked for", "", 0);
            return;
        }
        bytes_in += (uint64_t)count;
        bool done = false;
        if (drop) {
            c->left -= (uint64_t)count;
            c->length += (uint64_t)count;
            done = c->left == 0;
        } else if (c->state == HEADERS) {
            c->filled += (size_t)count;
            c->buffer[c->filled] = 0;
            const char *end = memmem(c->buffer, c->filled, "\r\n\r\n", 4);
            if (end)
                done = take_head(c, end);
            else if (c->filled == BUFFER - 1) {
                lost(c);
                return;
            }
        } else {
            done = take(c, scratch, (size_t)count);
        }
        if (done) {
            finish(c);
            return;
        }
        if (count < (c->state == HEADERS ? BUFFER / 2 : 4096))
            return;
    }
}

static const char *map(const char *path, int *fd, uint64_t *size) {
    struct stat status;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &status) != 0)
        fail(path);
    *size = (uint64_t)status.st_size;
    if (*size == 0)
        return NULL;
    const char *bytes = mmap(NULL, *size, PROT_READ, MAP_SHARED | MAP_POPULATE, *fd, 0);
    if (bytes == MAP_FAILED)
        fail(path);
    return bytes;
}

static void read_requests(const char *path) {
    int fd;
    uint64_t size;
    const char *bytes = map(path, &fd, &size);
    size_t most = size / sizeof(struct record) + 1;
    requests = calloc(most, sizeof *requests);
    for (uint64_t at = 0; at + sizeof(struct record) <= size;) {
        const struct record *r = (const struct record *)(bytes + at);
        requests[request_count++] = r;
        at += (sizeof *r + r->head_length + 7) / 8 * 8;
    }
    if (request_count == 0)
        fail("no requests");
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static double percentile(double share) {
    if (good == 0)
        return 0;
    size_t index = (size_t)(share * (double)good);
    return latencies[index < good ? index : good - 1];
}

int main(int count, char **words) {
    if (count < 6) {
        fputs("usage: load PORT CONNECTIONS SECONDS REQUESTS PAYLOAD [loop]\n", stderr);
        return 2;
    }
    port = atoi(words[1]);
    int connections = atoi(words[2]);
    loops = count > 6;
    read_requests(words[4]);
    payload = map(words[5], &payload_fd, &payload_size);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    for (int i = 0; i < connections; i++) {
        all[i].fd = -1;
        reconnect(&all[i]);
    }
    uint64_t start = now();
    deadline = start + (uint64_t)(atof(words[3]) * 1e9);
    last_end = start;
    for (int i = 0; i < connections; i++)
        begin(&all[i]);
    struct epoll_event events[256];
    while (active > 0 && now() < deadline + GRACE * 1000000000ull) {
        int ready = epoll_wait(epoll_fd, events, 256, 1000);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                receive(c);
            else if (events[i].events & EPOLLOUT && c->busy && !send_more(c))
                lost(c);
        }
    }
    if (active > 0)
        note("no answer in time", "", 0), bad += active - 1;
    double seconds = (double)(last_end - start) / 1e9;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    qsort(latencies, good, sizeof *latencies, compare);
    printf("{\"good\": %zu, \"bad\": %zu, \"seconds\": %.6f, \"bytes_in\": %llu, \"bytes_out\": %llu, \"p50\": %.0f,"
        " \"p99\": %.0f, \"max\": %.0f, \"cpu\": %.3f, \"reconnects\": %zu, \"error\": \"%s\"}\n",
        good, bad, seconds, (unsigned long long)bytes_in, (unsigned long long)bytes_out, percentile(0.5),
        percentile(0.99), percentile(1), cpu, reconnects, first_error);
    return 0;
}
