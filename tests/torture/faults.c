/* Faults that a test puts below a process, by LD_PRELOAD: a clock that jumps, and a file system on a network.

   FAULTS_CLOCK=1: each reading of the system's time is off by a random amount, up to ten years forth or back. The
   monotonic clock is right, as it is on a real machine.
   FAULTS_ROOT=FOLDER: below this folder, files behave as on a bad network file system:
     FAULTS_NO_LOCKS=1    flock and fcntl's locks fail with ENOLCK
     FAULTS_NO_MMAP=1     shared memory of files fails with ENODEV
     FAULTS_EVERY=N       each N-th open, listing, read, write, sync, stat, rename, truncation or deletion fails with
                          FAULTS_ERROR, a number such as ESTALE's

   cc -shared -fPIC -o faults.so faults.c -ldl */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static int set(const char *name) {
    const char *value = getenv(name);
    return value && *value ? atoi(value) : 0;
}

/* --- the clock */

static long jump(void) {
    static unsigned long state = 88172645463325252UL;
    static const long far[] = {0, 1, -1, 3600, -3600, 86400 * 365, -86400 * 365, 315360000, -315360000};
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return set("FAULTS_CLOCK") ? far[state % (sizeof far / sizeof *far)] : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += jump();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int failed = syscall(SYS_gettimeofday, now, zone);
    if (!failed) now->tv_sec += jump();
    return failed;
}

time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}

/* --- the file system */

static int below(const char *path) {
    const char *root = getenv("FAULTS_ROOT");
    size_t length = root ? strlen(root) : 0;
    return length && path && !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

static int is_below(int file) {
    char link[64], path[PATH_MAX];
    if (!getenv("FAULTS_ROOT")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return below(path);
}

static int fails(void) {
    static unsigned count;
    int every = set("FAULTS_EVERY");
    if (!every || __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) % every) return 0;
    errno = set("FAULTS_ERROR");
    return 1;
}

#define FAIL_PATH(path) if (below(path) && fails()) return -1
#define FAIL_FILE(file) if (is_below(file) && fails()) return -1

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
    va_end(rest);
    FAIL_PATH(path);
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
    va_end(rest);
    FAIL_PATH(path);
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t read(int file, void *to, size_t size) {
    FAIL_FILE(file);
    return syscall(SYS_read, file, to, size);
}

ssize_t pread64(int file, void *to, size_t size, off64_t at) {
    FAIL_FILE(file);
    return syscall(SYS_pread64, file, to, size, at);
}

ssize_t pwrite64(int file, const void *from, size_t size, off64_t at) {
    FAIL_FILE(file);
    return syscall(SYS_pwrite64, file, from, size, at);
}

ssize_t write(int file, const void *from, size_t size) {
    FAIL_FILE(file);
    return syscall(SYS_write, file, from, size);
}

int fsync(int file) {
    FAIL_FILE(file);
    return syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    FAIL_FILE(file);
    return syscall(SYS_fdatasync, file);
}

int fstat64(int file, struct stat64 *to) {
    REAL(int, fstat64, int, struct stat64 *);
    FAIL_FILE(file);
    return real(file, to);
}

int stat64(const char *path, struct stat64 *to) {
    REAL(int, stat64, const char *, struct stat64 *);
    FAIL_PATH(path);
    return real(path, to);
}

int lstat64(const char *path, struct stat64 *to) {
    REAL(int, lstat64, const char *, struct stat64 *);
    FAIL_PATH(path);
    return real(path, to);
}

int fstatat64(int folder, const char *path, struct stat64 *to, int flags) {
    REAL(int, fstatat64, int, const char *, struct stat64 *, int);
    FAIL_PATH(path);
    return real(folder, path, to, flags);
}

int access(const char *path, int mode) {
    FAIL_PATH(path);
    return syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

DIR *opendir(const char *path) {
    REAL(DIR *, opendir, const char *);
    if (below(path) && fails()) return NULL;
    return real(path);
}

int rename(const char *from, const char *to) {
    FAIL_PATH(to);
    return syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int unlink(const char *path) {
    FAIL_PATH(path);
    return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int ftruncate64(int file, off64_t size) {
    FAIL_FILE(file);
    return syscall(SYS_ftruncate, file, size);
}

int flock(int file, int operation) {
    if (set("FAULTS_NO_LOCKS") && is_below(file)) {
        errno = ENOLCK;
        return -1;
    }
    return syscall(SYS_flock, file, operation);
}

static int lock(int file, int command, void *argument) {
    if (set("FAULTS_NO_LOCKS") && (command == F_SETLK || command == F_SETLKW) && is_below(file)) {
        errno = ENOLCK;
        return -1;
    }
    return syscall(SYS_fcntl, file, command, argument);
}

int fcntl(int file, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return lock(file, command, argument);
}

int fcntl64(int file, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return lock(file, command, argument);
}

static void *map(void *at, size_t size, int protection, int flags, int file, off64_t offset) {
    if (set("FAULTS_NO_MMAP") && file >= 0 && (flags & MAP_SHARED) && is_below(file)) {
        errno = ENODEV;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}

void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset) {
    return map(at, size, protection, flags, file, offset);
}

void *mmap64(void *at, size_t size, int protection, int flags, int file, off64_t offset) {
    return map(at, size, protection, flags, file, offset);
}
