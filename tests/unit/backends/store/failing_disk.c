/* Loaded before the C library: gives the answers of a disk without locks, without room, or that is read-only. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fault(const char *name) {
    const char *chosen = getenv("FAILING_DISK");
    return chosen && !strcmp(chosen, name);
}

static int on_disk(const char *path) {
    const char *folder = getenv("FAILING_FOLDER");
    return folder && !strncmp(path, folder, strlen(folder));
}

int fcntl64(int file, int command, ...) {
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    if ((command == F_SETLK || command == F_SETLKW) && fault("no locks")) {
        errno = ENOLCK;
        return -1;
    }
    int (*next)(int, int, ...) = dlsym(RTLD_NEXT, "fcntl64");
    return next(file, command, argument);
}

int fcntl(int file, int command, ...) __attribute__((alias("fcntl64")));

ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset) {
    if (fault("no room")) {
        errno = ENOSPC;
        return -1;
    }
    ssize_t (*next)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    return next(file, data, size, offset);
}

int open64(const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    mode_t mode = va_arg(list, int);
    va_end(list);
    if (fault("read-only") && on_disk(path) && (flags & (O_WRONLY | O_RDWR | O_CREAT))) {
        errno = EROFS;
        return -1;
    }
    int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
    return next(path, flags, mode);
}

int open(const char *path, int flags, ...) __attribute__((alias("open64")));
