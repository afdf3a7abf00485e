/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections. A connection is a thread (ABI-50): each thread opens one on its
 * first call and gives it up when it ends.
 *
 * The descriptor belongs to the program as much as to us: it may be closed, or
 * closed and used again for something else. So every call first makes sure, by
 * device and inode, that the number is still our socket. A forked child has its
 * parent's sockets; it closes them and never writes to one (ABI-63).
 *
 * Locks: list_mu guards the list of connections and the socket path. It is held
 * over fork, and over nothing that can block.
 */
#include "internal.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct conn {
	int fd;
	dev_t dev;
	ino_t ino;
	pid_t pid;
	uint32_t last_id;
	struct st_hello hello;
	struct conn *next, *prev; /* guarded by list_mu */
};

static pthread_mutex_t list_mu = PTHREAD_MUTEX_INITIALIZER;
static struct conn *all;        /* guarded by list_mu */
static char *chosen_path;       /* guarded by list_mu; of station_connect */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int key_ok;
static ST_TLS struct conn *mine;
static ST_TLS int busy;

static void fork_prepare(void) { pthread_mutex_lock(&list_mu); }
static void fork_parent(void) { pthread_mutex_unlock(&list_mu); }

/* ours tells whether a connection's descriptor still is its socket. */
static int ours(const struct conn *c)
{
	struct stat st;
	return fstat(c->fd, &st) == 0 && st.st_dev == c->dev && st.st_ino == c->ino;
}

/* fork_child closes the parent's sockets. Their memory stays where it is:
 * other threads of the parent had it and free() may not be called yet. */
static void fork_child(void)
{
	struct conn *c;
	for (c = all; c != NULL; c = c->next)
		if (ours(c))
			close(c->fd);
	all = NULL;
	mine = NULL;
	busy = 0;
	pthread_mutex_unlock(&list_mu);
}

static void unlist(struct conn *c)
{
	pthread_mutex_lock(&list_mu);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else if (all == c)
		all = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	pthread_mutex_unlock(&list_mu);
}

/* drop ends a connection. The shutdown reaches the daemon even when a forked
 * child still holds the socket. */
static void drop(struct conn *c)
{
	if (c == NULL)
		return;
	if (c->pid == getpid()) {
		unlist(c);
		if (ours(c)) {
			shutdown(c->fd, SHUT_RDWR);
			close(c->fd);
		}
	} /* else: made before a fork that skipped our handlers; the socket is the parent's */
	free(c);
}

static void thread_ends(void *p)
{
	mine = NULL;
	drop(p);
}

static void set_up(void)
{
	key_ok = pthread_key_create(&key, thread_ends) == 0;
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

/* socket_path writes the path of the call socket, as internal/layout says. */
static int socket_path(char *out, size_t room)
{
	const char *s;
	int n;
	pthread_mutex_lock(&list_mu);
	if (chosen_path != NULL) {
		n = snprintf(out, room, "%s", chosen_path);
		pthread_mutex_unlock(&list_mu);
		return n > 0 && (size_t)n < room;
	}
	pthread_mutex_unlock(&list_mu);
	if ((s = getenv("STATION_SOCKET")) != NULL && *s != 0)
		n = snprintf(out, room, "%s", s);
	else if ((s = getenv("STATION_DIR")) != NULL && *s != 0)
		n = snprintf(out, room, "%s/run/public/call", s);
	else if (geteuid() == 0)
		n = snprintf(out, room, "/run/stationmaster/public/call");
	else if ((s = getenv("XDG_RUNTIME_DIR")) != NULL && *s == '/')
		n = snprintf(out, room, "%s/stationmaster/public/call", s);
	else
		n = snprintf(out, room, "/tmp/stationmaster-%u/stationmaster/public/call", (unsigned)geteuid());
	return n > 0 && (size_t)n < room;
}

/* dial connects to a socket path of any length: a long one goes through a
 * descriptor of its directory. */
static int dial(const char *path)
{
	struct sockaddr_un a;
	int fd, high, dir = -1, rc;
	char shorter[64 + NAME_MAX];
	memset(&a, 0, sizeof a);
	a.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof a.sun_path) {
		char parent[PATH_MAX];
		const char *slash = strrchr(path, '/');
		if (slash == NULL || (size_t)(slash - path) >= sizeof parent || strlen(slash) > NAME_MAX)
			return -1;
		memcpy(parent, path, (size_t)(slash - path));
		parent[slash - path] = 0;
		dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			return -1;
		snprintf(shorter, sizeof shorter, "/proc/self/fd/%d%s", dir, slash);
		path = shorter;
		if (strlen(path) >= sizeof a.sun_path) {
			close(dir);
			return -1;
		}
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		do
			rc = connect(fd, (struct sockaddr *)&a, sizeof a);
		while (rc < 0 && errno == EINTR);
		if (rc < 0 && errno != EISCONN) {
			close(fd);
			fd = -1;
		}
	}
	if (dir >= 0)
		close(dir);
	if (fd < 0)
		return -1;
	/* Out of the way of programs that count on the lowest free numbers. */
	if ((high = fcntl(fd, F_DUPFD_CLOEXEC, 100)) >= 0) {
		close(fd);
		fd = high;
	}
	return fd;
}

static int send_all(int fd, const uint8_t *p, size_t n, const int *fds, unsigned nfds, int *sent_some)
{
	union { char room[CMSG_SPACE(sizeof(int) * ST_MAX_FILES)]; struct cmsghdr align; } control;
	*sent_some = 0;
	while (n > 0) {
		struct iovec v = {(void *)(uintptr_t)p, n};
		struct msghdr m;
		ssize_t k;
		memset(&m, 0, sizeof m);
		m.msg_iov = &v;
		m.msg_iovlen = 1;
		if (nfds > 0 && !*sent_some) {
			struct cmsghdr *h;
			memset(&control, 0, sizeof control);
			m.msg_control = control.room;
			m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
			h = CMSG_FIRSTHDR(&m);
			h->cmsg_level = SOL_SOCKET;
			h->cmsg_type = SCM_RIGHTS;
			h->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
			memcpy(CMSG_DATA(h), fds, sizeof(int) * nfds);
		}
		k = sendmsg(fd, &m, MSG_NOSIGNAL);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return 0;
		*sent_some = 1;
		p += k;
		n -= (size_t)k;
	}
	return 1;
}

static void keep_files(struct st_reply *r, struct msghdr *m)
{
	struct cmsghdr *h;
	for (h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		unsigned i, n;
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
			if (r->nfds < ST_MAX_FILES)
				r->fds[r->nfds++] = fd;
			else
				close(fd);
		}
	}
}

static int receive_all(int fd, uint8_t *p, size_t n, struct st_reply *r)
{
	union { char room[CMSG_SPACE(sizeof(int) * ST_MAX_FILES)]; struct cmsghdr align; } control;
	while (n > 0) {
		struct iovec v = {p, n};
		struct msghdr m;
		ssize_t k;
		memset(&m, 0, sizeof m);
		m.msg_iov = &v;
		m.msg_iovlen = 1;
		m.msg_control = control.room;
		m.msg_controllen = sizeof control.room;
		k = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
		if (k < 0 && errno == EINTR)
			continue; /* a signal's handler has run; the wait goes on (ABI-57) */
		if (k <= 0)
			return 0;
		keep_files(r, &m);
		p += k;
		n -= (size_t)k;
	}
	return 1;
}

static void close_files(struct st_reply *r)
{
	while (r->nfds > 0)
		close(r->fds[--r->nfds]);
}

enum outcome { ANSWERED, NOT_SENT, LOST };

/* exchange makes one round trip. code is the reply's number. */
static enum outcome exchange(struct conn *c, uint16_t op, struct st_buf *b, const int *fds, unsigned nfds,
	struct st_reply *r, uint32_t *code)
{
	uint8_t h[ST_REPLY_HEADER];
	uint32_t id = ++c->last_id, n = (uint32_t)(b->n - ST_REQUEST_HEADER);
	int some;
	uint8_t *q = b->p;
	q[0] = (uint8_t)n, q[1] = (uint8_t)(n >> 8), q[2] = (uint8_t)(n >> 16), q[3] = (uint8_t)(n >> 24);
	q[4] = (uint8_t)id, q[5] = (uint8_t)(id >> 8), q[6] = (uint8_t)(id >> 16), q[7] = (uint8_t)(id >> 24);
	q[8] = (uint8_t)op, q[9] = (uint8_t)(op >> 8), q[10] = 0, q[11] = (uint8_t)nfds;
	if (!send_all(c->fd, b->p, b->n, fds, nfds, &some))
		return some ? LOST : NOT_SENT;
	if (!receive_all(c->fd, h, sizeof h, r))
		return LOST;
	r->n = st_le32(h);
	*code = st_le32(h + 8);
	if (st_le32(h + 4) != id || h[12] != 0 || h[14] != 0 || h[15] != 0 || r->n > ST_MAX_REPLY)
		return LOST;
	r->body = r->n <= sizeof r->small ? r->small : malloc(r->n);
	if (r->body == NULL) {
		r->body = r->small;
		return LOST;
	}
	if (!receive_all(c->fd, r->body, r->n, r) || r->nfds != h[13])
		return LOST;
	return ANSWERED;
}

static void reply_init(struct st_reply *r)
{
	r->body = r->small;
	r->n = 0;
	r->lists = NULL;
	r->nfds = 0;
}

/* open_conn makes this thread's connection: 0 or a Win32 number. */
static uint32_t open_conn(void)
{
	struct api_HelloRequest q;
	struct api_HelloReply v;
	struct st_buf b;
	struct st_reply r;
	struct st_dec d;
	struct stat st;
	struct conn *c;
	char path[PATH_MAX];
	uint32_t code = RPC_S_SERVER_UNAVAILABLE;
	pthread_once(&once, set_up);
	if (!key_ok || (c = calloc(1, sizeof *c)) == NULL)
		return ERROR_NOT_ENOUGH_MEMORY;
	if (!socket_path(path, sizeof path) || (c->fd = dial(path)) < 0) {
		free(c);
		return RPC_S_SERVER_UNAVAILABLE;
	}
	if (fstat(c->fd, &st) != 0) {
		close(c->fd);
		free(c);
		return RPC_S_SERVER_UNAVAILABLE;
	}
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	c->pid = getpid();
	pthread_mutex_lock(&list_mu);
	c->next = all;
	if (all != NULL)
		all->prev = c;
	all = c;
	pthread_mutex_unlock(&list_mu);

	q.Version = ST_API_VERSION;
	q.Program = st_text(program_invocation_short_name);
	st_begin(&b);
	api_put_HelloRequest(&b, &q);
	reply_init(&r);
	memset(&v, 0, sizeof v);
	if (b.failed)
		code = ERROR_NOT_ENOUGH_MEMORY;
	else if (exchange(c, OP_Hello, &b, NULL, 0, &r, &code) != ANSWERED)
		code = RPC_S_SERVER_UNAVAILABLE;
	if (code == 0) {
		d = st_decode(&r);
		api_get_HelloReply(&d, &v);
		code = d.bad ? RPC_S_SERVER_UNAVAILABLE : 0;
		c->hello.process = v.ProcessID;
		c->hello.thread = v.ThreadID;
		c->hello.session = v.SessionID;
		c->hello.daemon = v.DaemonID;
	}
	close_files(&r);
	st_free(&r);
	if (b.p != b.small)
		free(b.p);
	if (code != 0 || pthread_setspecific(key, c) != 0) {
		drop(c);
		return code != 0 ? code : ERROR_NOT_ENOUGH_MEMORY;
	}
	mine = c;
	return 0;
}

static void lose(void)
{
	struct conn *c = mine;
	mine = NULL;
	if (c != NULL) {
		pthread_setspecific(key, NULL);
		drop(c);
	}
}

/* ready sees to it that this thread has a connection of its own. */
static uint32_t ready(void)
{
	if (mine != NULL && mine->pid == getpid() && ours(mine))
		return 0;
	lose();
	return open_conn();
}

/* st_call makes a call and gives 0 or a Win32 number. Where nothing was sent,
 * because the daemon had gone before, it connects anew once. */
uint32_t st_call(uint16_t op, const char *name, struct st_buf *b, const int *fds, unsigned nfds, struct st_reply *r)
{
	static const struct st_str none = {"", 0};
	uint32_t code = 0;
	int saved = errno, attempt;
	enum outcome o = NOT_SENT;
	reply_init(r);
	if (b->failed || b->n - ST_REQUEST_HEADER > ST_MAX_REQUEST)
		code = b->failed ? ERROR_NOT_ENOUGH_MEMORY : ERROR_BAD_LENGTH;
	else if (busy) /* a signal handler's call inside another one */
		code = ERROR_BUSY;
	if (code == 0) {
		busy = 1;
		for (attempt = 0; attempt < 2 && o == NOT_SENT && code == 0; attempt++) {
			code = ready();
			if (code == 0)
				o = exchange(mine, op, b, fds, nfds, r, &code);
			if (code == 0 && o == NOT_SENT)
				lose();
		}
		if (code == 0 && o != ANSWERED)
			code = RPC_S_SERVER_UNAVAILABLE;
		if (o == LOST) {
			lose();
			code = RPC_S_SERVER_UNAVAILABLE;
		}
		busy = 0;
	}
	if (b->p != b->small)
		free(b->p);
	if (code != 0) {
		struct st_str s[4] = {none, none, none, none};
		if (o == ANSWERED) {
			struct st_dec d = st_decode(r);
			int i;
			for (i = 0; i < 4; i++)
				s[i] = st_getstr(&d);
		}
		st_sentence(name, s[1], s[2], s[3], code);
		close_files(r);
		st_free(r);
	}
	errno = saved;
	return code;
}

uint32_t st_decoded(const struct st_dec *d, const char *name)
{
	static const struct st_str none = {"", 0}, text = {"the daemon's answer makes no sense", 34};
	uint32_t code;
	if (!d->bad && d->p == d->end)
		return 0;
	code = d->memory ? ERROR_NOT_ENOUGH_MEMORY : RPC_S_SERVER_UNAVAILABLE;
	st_sentence(name, none, none, text, code);
	close_files(d->r);
	st_free(d->r);
	return code;
}

void st_free(struct st_reply *r)
{
	void *p = r->lists, *next;
	for (; p != NULL; p = next) {
		memcpy(&next, p, sizeof next);
		free(p);
	}
	r->lists = NULL;
	if (r->body != r->small)
		free(r->body);
	r->body = r->small;
	r->n = 0;
}

void *st_listmem(struct st_reply *r, size_t bytes)
{
	char *p = malloc(16 + bytes);
	if (p == NULL)
		return NULL;
	memcpy(p, &r->lists, sizeof r->lists);
	r->lists = p;
	memset(p + 16, 0, bytes);
	return p + 16;
}

void st_grow(struct st_buf *b, size_t more)
{
	size_t want = b->n + more, cap = b->cap * 2;
	uint8_t *p;
	if (b->failed)
		return;
	if (more > 2 * (size_t)ST_MAX_REQUEST || want > 2 * (size_t)ST_MAX_REQUEST) {
		b->failed = 1;
		return;
	}
	if (cap < want)
		cap = want;
	p = b->p == b->small ? malloc(cap) : realloc(b->p, cap);
	if (p == NULL) {
		b->failed = 1;
		return;
	}
	if (b->p == b->small)
		memcpy(p, b->small, b->n);
	b->p = p;
	b->cap = cap;
}

uint32_t st_identity(struct st_hello *h)
{
	uint32_t code = 0;
	int saved = errno;
	if (!busy) {
		busy = 1;
		code = ready();
		busy = 0;
	}
	errno = saved;
	if (code != 0 || mine == NULL)
		return code != 0 ? code : ERROR_BUSY;
	*h = mine->hello;
	return 0;
}

ST_EXPORT BOOL station_connect(const char *socket_path_or_null)
{
	struct st_hello h;
	char *copy = NULL, *old;
	uint32_t code;
	if (socket_path_or_null != NULL && (copy = strdup(socket_path_or_null)) == NULL)
		return st_fail("station_connect", ERROR_NOT_ENOUGH_MEMORY);
	pthread_mutex_lock(&list_mu);
	old = chosen_path;
	chosen_path = copy;
	pthread_mutex_unlock(&list_mu);
	free(old);
	lose();
	code = st_identity(&h);
	return code == 0 ? TRUE : st_fail("station_connect", code);
}

ST_EXPORT DWORD station_current_session(void)
{
	struct st_hello h;
	return st_identity(&h) == 0 ? h.session : 0xFFFFFFFFu;
}

/* Without a daemon the ids are Linux's: these functions cannot fail. */
ST_EXPORT DWORD GetCurrentProcessId(void)
{
	struct st_hello h;
	return st_identity(&h) == 0 ? h.process : (DWORD)getpid();
}

ST_EXPORT DWORD GetCurrentThreadId(void)
{
	struct st_hello h;
	return st_identity(&h) == 0 ? h.thread : (DWORD)gettid();
}
