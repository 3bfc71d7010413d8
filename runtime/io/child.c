/*
 * Between fork and exec only what is safe after a fork of a program with threads. A pipe that exec
 * closes brings back why a program could not be started.
 */
#include "io/child.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEPT = 4096 }; // bytes of what it prints

struct lac_child {
  pid_t pid; // 0 when it has ended and was waited for
  int code;
  int pipe; // what it prints; -1 when it has closed that
  size_t bytes;
  char text[2 * KEPT];
};

static void close_pair(const int pair[2]) {
  if (pair[0] >= 0) close(pair[0]);
  if (pair[1] >= 0) close(pair[1]);
}

static lac_status open_pair(int pair[2], const char *name) {
  if (pipe(pair) != 0)
    return lac_fail(LAC_EIO, "cannot start %s: no pipe to it: %s", name, strerror(errno));
  for (int i = 0; i < 2; i++)
    fcntl(pair[i], F_SETFD, FD_CLOEXEC);
  return LAC_OK;
}

/* In the child: never returns. */
static void become(const char *const *words, const char *folder, int print, int report) {
  const int nothing = open("/dev/null", O_RDONLY);
  sigset_t none;
  sigemptyset(&none);
  setpgid(0, 0);
  if (nothing >= 0 && dup2(nothing, 0) >= 0 && dup2(print, 1) >= 0 && dup2(print, 2) >= 0 &&
      (!folder || chdir(folder) == 0)) {
    signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(words[0], (char *const *)words);
  }
  const int why = errno;
  if (write(report, &why, sizeof why) != sizeof why) _exit(126);
  _exit(127);
}

/* Why it could not be started; 0 where it could. */
static int read_report(int report) {
  int why = 0;
  ssize_t got;
  do
    got = read(report, &why, sizeof why);
  while (got < 0 && errno == EINTR);
  return got == sizeof why ? why : 0;
}

static void reap(pid_t pid) {
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    ;
}

static lac_status start(lac_child *self, const char *const *words, const char *folder) {
  int print[2] = {-1, -1}, report[2] = {-1, -1};
  lac_status status = open_pair(print, words[0]);
  if (status == LAC_OK) status = open_pair(report, words[0]);
  const pid_t pid = status == LAC_OK ? fork() : -1;
  if (status == LAC_OK && pid < 0)
    status = lac_fail(LAC_EIO, "cannot start %s: %s", words[0], strerror(errno));
  if (pid == 0) become(words, folder, print[1], report[1]);
  if (status != LAC_OK) {
    close_pair(print);
    close_pair(report);
    return status;
  }
  setpgid(pid, pid); // whoever comes first
  close(print[1]);
  close(report[1]);
  const int why = read_report(report[0]);
  close(report[0]);
  if (why) {
    close(print[0]);
    reap(pid);
    return lac_fail(LAC_EIO, "cannot start %s: %s", words[0], strerror(why));
  }
  fcntl(print[0], F_SETFL, O_NONBLOCK);
  self->pid = pid;
  self->pipe = print[0];
  return LAC_OK;
}

lac_status lac_child_start(lac_child **out, const char *const *words, const char *folder) {
  lac_child *self = NULL;
  LAC_TRY(lac_alloc(&self, 1, sizeof *self, "a child process"));
  self->pipe = -1;
  const lac_status status = start(self, words, folder);
  if (status != LAC_OK) {
    lac_child_release(self);
    return status;
  }
  *out = self;
  return LAC_OK;
}

/* Take in what it has printed by now. */
static void read_output(lac_child *self) {
  while (self->pipe >= 0) {
    if (self->bytes == sizeof self->text) {
      memmove(self->text, self->text + KEPT, KEPT);
      self->bytes = KEPT;
    }
    const ssize_t got = read(self->pipe, self->text + self->bytes, sizeof self->text - self->bytes);
    if (got > 0) {
      self->bytes += (size_t)got;
    } else if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      return;
    } else {
      close(self->pipe);
      self->pipe = -1;
    }
  }
}

static lac_status look(lac_child *self) {
  int state;
  if (!self->pid) return LAC_OK;
  const pid_t got = waitpid(self->pid, &state, WNOHANG);
  if (got == 0 || (got < 0 && errno == EINTR)) return LAC_OK;
  if (got < 0) return lac_fail(LAC_EIO, "cannot wait for a child process: %s", strerror(errno));
  self->code = WIFSIGNALED(state) ? -WTERMSIG(state) : WEXITSTATUS(state);
  self->pid = 0;
  return LAC_OK;
}

lac_status lac_child_wait(lac_child *self, int ms, bool *ended, int *code) {
  enum { STEP = 20 }; // one that has closed its output is looked for this often
  LAC_TRY(look(self));
  if (self->pid) {
    struct pollfd from = {.fd = self->pipe, .events = POLLIN};
    const int limit = self->pipe < 0 && ms > STEP ? STEP : ms;
    if (poll(&from, self->pipe < 0 ? 0 : 1, limit) < 0 && errno != EINTR)
      return lac_fail(LAC_EIO, "cannot wait for a child process: %s", strerror(errno));
    read_output(self);
    LAC_TRY(look(self));
  }
  read_output(self);
  *ended = self->pid == 0;
  if (*ended) *code = self->code;
  return LAC_OK;
}

const char *lac_child_output(const lac_child *self, size_t *bytes) {
  *bytes = self->bytes < KEPT ? self->bytes : KEPT;
  return self->text + self->bytes - *bytes;
}

void lac_child_release(lac_child *self) {
  if (!self) return;
  if (self->pid) {
    kill(-self->pid, SIGKILL);
    kill(self->pid, SIGKILL); // before it has a group of its own
    reap(self->pid);
  }
  if (self->pipe >= 0) close(self->pipe);
  free(self);
}
