// What the machine itself needs, without any server: starts of processes, and calls over pipes.
//
//     floors spawn IN_FLIGHT SECONDS PROGRAM [ARGUMENT]...              start it again and again, so many at once
//     floors calls OUTSTANDING SECONDS INPUT FOLDER PROGRAM [ARGUMENT]...   call a resident program
//
// A call is the line that Apus writes, an answer the line that the program writes; INPUT is the file that each call
// names, FOLDER the output directory. Prints one line of JSON: {"rate":…,"p50":…,"p99":…,"count":…}, times in seconds.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
enum { MOST = 1024, ROOM = 1 << 24 };

static double *latencies;
static size_t count;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static void note(double latency) {
    if (count < ROOM)
        latencies[count++] = latency;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(double seconds) {
    if (!count)
        fail("nothing was done");
    qsort(latencies, count, sizeof *latencies, compare);
    printf("{\"rate\":%.1f,\"p50\":%.9f,\"p99\":%.9f,\"count\":%zu}\n", (double)count / seconds, latencies[count / 2],
           latencies[count * 99 / 100], count);
}

static pid_t start(char **command, const posix_spawn_file_actions_t *actions) {
    pid_t child;
    int error = posix_spawn(&child, command[0], actions, NULL, command, environ);
    if (error) {
        errno = error;
        fail(command[0]);
    }
    return child;
}

static void spawn(int most, double seconds, char **command) {
    struct { pid_t child; double began; } running[MOST];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    int active = 0;
    double begin = now();
    for (;;) {
        for (; active < most && now() - begin < seconds; active++) {
            running[active].began = now();
            running[active].child = start(command, &actions);
        }
        if (!active)
            break;
        int status;
        pid_t ended = wait(&status);
        if (ended < 0)
            fail("wait");
        if (status) {
            fprintf(stderr, "%s ended with status %d\n", command[0], status);
            exit(2);
        }
        for (int i = 0; i < active; i++)
            if (running[i].child == ended) {
                note(now() - running[i].began);
                running[i] = running[--active];
                break;
            }
    }
    report(now() - begin);
}

static void send_call(int pipe, int slot, const char *input, const char *folder) {
    char line[8192];
    int length = snprintf(line, sizeof line, "{\"id\":\"%d\",\"input\":\"%s\",\"output_dir\":\"%s\",\"event\":null}\n", slot,
                          input, folder);
    if (length >= (int)sizeof line || write(pipe, line, (size_t)length) != length)
        fail("write");
}

// Takes the answers that stand in the buffer, and sends a call for each; the bytes of the line that is not whole yet.
static size_t take(char *buffer, size_t filled, double *began, int out, char **names, double end) {
    char *line = buffer;
    for (char *next; (next = memchr(line, '\n', filled - (size_t)(line - buffer))); line = next + 1) {
        *next = 0;
        // What is no answer is for the log.
        if (*line != '{')
            continue;
        const char *id = strstr(line, "\"id\":"), *good = strstr(line, "\"ok\":");
        if (!id || !good || !strstr(good, "true")) {
            fprintf(stderr, "this is no good answer: %.300s\n", line);
            exit(2);
        }
        int slot = atoi(id + 5 + strcspn(id + 5, "0123456789"));
        note(now() - began[slot]);
        began[slot] = 0;
        if (now() < end) {
            began[slot] = now();
            send_call(out, slot, names[0], names[1]);
        }
    }
    size_t rest = filled - (size_t)(line - buffer);
    memmove(buffer, line, rest);
    return rest;
}

static void calls(int most, double seconds, char **names, char **command) {
    static char buffer[1 << 20];
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
        fail("pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    pid_t child = start(command, &actions);
    close(to[0]);
    close(from[1]);
    double began[MOST] = {0}, begin = now();
    size_t filled = 0;
    // The first call waits for the program's own start, which is not what is measured.
    send_call(to[1], 0, names[0], names[1]);
    for (int warm = 0;;) {
        ssize_t got = read(from[0], buffer + filled, sizeof buffer - filled);
        if (got <= 0)
            fail("the program ended");
        filled = take(buffer, filled + (size_t)got, began, to[1], names, warm ? begin + seconds : 0);
        if (!warm) {
            warm = 1;
            count = 0;
            begin = now();
            for (int slot = 0; slot < most; slot++) {
                began[slot] = now();
                send_call(to[1], slot, names[0], names[1]);
            }
            continue;
        }
        int open = 0;
        for (int slot = 0; slot < most; slot++)
            open += began[slot] != 0;
        if (!open)
            break;
    }
    report(now() - begin);
    close(to[1]);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    if (argc > 4) {
        int most = atoi(argv[2]);
        double seconds = atof(argv[3]);
        latencies = malloc(ROOM * sizeof *latencies);
        if (!latencies || most < 1 || most > MOST)
            fail("arguments");
        if (!strcmp(argv[1], "spawn"))
            return spawn(most, seconds, argv + 4), 0;
        if (!strcmp(argv[1], "calls") && argc > 6)
            return calls(most, seconds, argv + 4, argv + 6), 0;
    }
    fprintf(stderr, "usage: floors spawn IN_FLIGHT SECONDS PROGRAM... | calls OUTSTANDING SECONDS INPUT FOLDER PROGRAM...\n");
    return 1;
}
