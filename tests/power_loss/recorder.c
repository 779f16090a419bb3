/* Records what a process does to the files below $POWER_LOSS_ROOT, in order, into $POWER_LOSS_LOG.

   Use: cc -shared -fPIC -o recorder.so recorder.c -ldl; LD_PRELOAD=recorder.so PROGRAM

   A record is a line "operation\tpath\tother path\toffset\tlength\n", followed by length bytes of data. Writes that do
   not pass through libc's symbols (stdio, sendfile) are recorded as the whole file when it is closed or copied. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
#define LOCK pthread_mutex_lock(&one_at_a_time)
#define UNLOCK pthread_mutex_unlock(&one_at_a_time)
#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = dlsym(RTLD_NEXT, #name)

static int log_file(void) {
    static int file = -1;
    if (file < 0 && getenv("POWER_LOSS_LOG"))
        file = syscall(SYS_openat, AT_FDCWD, getenv("POWER_LOSS_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return file;
}

static int below_root(const char *path) {
    const char *root = getenv("POWER_LOSS_ROOT");
    size_t length = root ? strlen(root) : 0;
    return length && !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return below_root(path);
}

static int absolute(int folder, const char *name, char *path) {
    char base[PATH_MAX];
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return below_root(path);
    }
    if (folder == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return 0;
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, base, PATH_MAX - 1);
        if (length <= 0) return 0;
        base[length] = 0;
    }
    if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
    return below_root(path);
}

static void put(const void *data, size_t length) {
    while (length) {
        ssize_t done = syscall(SYS_write, log_file(), data, length);
        if (done <= 0) abort();
        data = (const char *)data + done;
        length -= done;
    }
}

static void record(const char *what, const char *path, const char *other, long long offset, const void *data, size_t length) {
    char line[3 * PATH_MAX];
    int size = snprintf(line, sizeof line, "%s\t%s\t%s\t%lld\t%zu\n", what, path, other, offset, length);
    put(line, size);
    put(data, length);
}

static void record_whole(const char *path) {
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    struct stat status;
    if (fd < 0) return;
    if (!fstat(fd, &status) && S_ISREG(status.st_mode)) {
        char *data = malloc(status.st_size + 1);
        ssize_t length = syscall(SYS_pread64, fd, data, status.st_size, 0LL);
        record("whole", path, "", 0, data, length < 0 ? 0 : length);
        free(data);
    }
    syscall(SYS_close, fd);
}

static int opened(int fd, int flags) {
    char path[PATH_MAX];
    if (fd >= 0 && (flags & (O_CREAT | O_TRUNC)) && path_of(fd, path))
        record(flags & O_TRUNC ? "truncate-open" : "create", path, "", 0, "", 0);
    return fd;
}

#define OPEN_AT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
        REAL(int, name, int, const char *, int, ...); \
        LOCK; int fd = opened(real(folder, path, flags, mode), flags); UNLOCK; return fd; }
#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
        REAL(int, name, const char *, int, ...); \
        LOCK; int fd = opened(real(path, flags, mode), flags); UNLOCK; return fd; }
#define FOPEN(name) \
    FILE *name(const char *path, const char *mode) { \
        REAL(FILE *, name, const char *, const char *); \
        LOCK; FILE *file = real(path, mode); \
        if (file && strchr(mode, 'w')) opened(fileno(file), O_CREAT | O_TRUNC); \
        UNLOCK; return file; }
OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)
FOPEN(fopen)
FOPEN(fopen64)

ssize_t write(int fd, const void *data, size_t length) {
    char path[PATH_MAX];
    REAL(ssize_t, write, int, const void *, size_t);
    LOCK;
    int ours = path_of(fd, path);
    long long before = ours ? syscall(SYS_lseek, fd, 0LL, SEEK_CUR) : 0;
    ssize_t done = real(fd, data, length);
    if (ours && done > 0) {
        long long after = syscall(SYS_lseek, fd, 0LL, SEEK_CUR); /* O_APPEND writes at the end */
        record("write", path, "", after >= done ? after - done : before, data, done);
    }
    UNLOCK;
    return done;
}

#define PWRITE(name, offset_type) \
    ssize_t name(int fd, const void *data, size_t length, offset_type offset) { \
        char path[PATH_MAX]; \
        REAL(ssize_t, name, int, const void *, size_t, offset_type); \
        LOCK; ssize_t done = real(fd, data, length, offset); \
        if (done > 0 && path_of(fd, path)) record("write", path, "", offset, data, done); \
        UNLOCK; return done; }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define TRUNCATE(name, offset_type) \
    int name(int fd, offset_type length) { \
        char path[PATH_MAX]; \
        REAL(int, name, int, offset_type); \
        LOCK; int result = real(fd, length); \
        if (!result && path_of(fd, path)) record("truncate", path, "", length, "", 0); \
        UNLOCK; return result; }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SENDFILE(name, offset_type) \
    ssize_t name(int to, int from, offset_type *offset, size_t count) { \
        char path[PATH_MAX]; \
        REAL(ssize_t, name, int, int, offset_type *, size_t); \
        LOCK; ssize_t done = real(to, from, offset, count); \
        if (done > 0 && path_of(to, path)) record_whole(path); \
        UNLOCK; return done; }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

#define SYNC(name) \
    int name(int fd) { \
        char path[PATH_MAX]; \
        REAL(int, name, int); \
        LOCK; int result = real(fd); \
        if (!result && path_of(fd, path)) record("sync", path, "", 0, "", 0); \
        UNLOCK; return result; }
SYNC(fsync)
SYNC(fdatasync)

int fclose(FILE *file) {
    char path[PATH_MAX];
    REAL(int, fclose, FILE *);
    LOCK;
    int ours = path_of(fileno(file), path) && (fcntl(fileno(file), F_GETFL) & O_ACCMODE) != O_RDONLY;
    int result = real(file);
    if (ours) record_whole(path);
    UNLOCK;
    return result;
}

static void renamed(int result, int from_folder, const char *from, int to_folder, const char *to) {
    char first[PATH_MAX], second[PATH_MAX];
    if (!result && absolute(from_folder, from, first) && absolute(to_folder, to, second))
        record("rename", first, second, 0, "", 0);
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    LOCK; int result = real(from, to); renamed(result, AT_FDCWD, from, AT_FDCWD, to); UNLOCK;
    return result;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL(int, renameat, int, const char *, int, const char *);
    LOCK; int result = real(from_folder, from, to_folder, to); renamed(result, from_folder, from, to_folder, to); UNLOCK;
    return result;
}

static int named(const char *what, int result, int folder, const char *name) {
    char path[PATH_MAX];
    if (!result && absolute(folder, name, path)) record(what, path, "", 0, "", 0);
    return result;
}

int unlink(const char *name) {
    REAL(int, unlink, const char *);
    LOCK; int result = named("unlink", real(name), AT_FDCWD, name); UNLOCK;
    return result;
}

int rmdir(const char *name) {
    REAL(int, rmdir, const char *);
    LOCK; int result = named("unlink", real(name), AT_FDCWD, name); UNLOCK;
    return result;
}

int unlinkat(int folder, const char *name, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    LOCK; int result = named("unlink", real(folder, name, flags), folder, name); UNLOCK;
    return result;
}

int mkdir(const char *name, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    LOCK; int result = named("mkdir", real(name, mode), AT_FDCWD, name); UNLOCK;
    return result;
}
