/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames and their fields (the comment of internal/wire has the layout), as
 * calls_gen.h uses them. A buffer or a decoder that has failed stays failed, so
 * generated code tests once.
 */
#ifndef STATION_WIRE_H
#define STATION_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ST_MAX_FILES 16
#define ST_REQUEST_HEADER 12
#define ST_REPLY_HEADER 16
#define ST_SMALL 512

/* Bytes that are not NUL-ended. Where absent and empty differ, absent is a NULL p. */
struct st_str { const char *p; uint32_t n; };
struct st_strs { const struct st_str *v; uint32_t n; };
struct st_u32s { const uint32_t *v; uint32_t n; };

/* st_buf is a request under construction, its header's room included. */
struct st_buf {
	uint8_t *p;
	size_t n, cap;
	int failed;
	uint8_t small[ST_SMALL];
};

/* st_reply owns the bytes of a reply, the lists decoded from it and the
 * descriptors that came with it. st_free releases all but the descriptors. */
struct st_reply {
	uint8_t *body;
	size_t n;
	void *lists;
	int fds[ST_MAX_FILES];
	int nfds;
	uint8_t small[ST_SMALL];
};

struct st_dec {
	const uint8_t *p, *end;
	struct st_reply *r;
	int bad, memory;
};

void st_grow(struct st_buf *b, size_t more);
void *st_listmem(struct st_reply *r, size_t bytes);
uint32_t st_call(uint16_t op, const char *name, struct st_buf *b, const int *fds, unsigned nfds, struct st_reply *r);
uint32_t st_decoded(const struct st_dec *d, const char *name);
void st_free(struct st_reply *r);

static inline void st_begin(struct st_buf *b)
{
	b->p = b->small;
	b->n = ST_REQUEST_HEADER;
	b->cap = sizeof b->small;
	b->failed = 0;
}

static inline void st_put(struct st_buf *b, const void *p, size_t n)
{
	if (b->cap - b->n < n)
		st_grow(b, n);
	if (!b->failed && n != 0) {
		memcpy(b->p + b->n, p, n);
		b->n += n;
	}
}

static inline void st_put8(struct st_buf *b, uint8_t v) { st_put(b, &v, 1); }

static inline void st_put32(struct st_buf *b, uint32_t v)
{
	uint8_t le[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
	st_put(b, le, 4);
}

static inline void st_put64(struct st_buf *b, uint64_t v)
{
	st_put32(b, (uint32_t)v);
	st_put32(b, (uint32_t)(v >> 32));
}

static inline void st_putstr(struct st_buf *b, struct st_str s)
{
	st_put32(b, s.n);
	st_put(b, s.p, s.n);
}

static inline void st_putopt(struct st_buf *b, struct st_str s)
{
	st_put8(b, s.p != NULL);
	if (s.p != NULL)
		st_putstr(b, s);
}

static inline uint32_t st_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline struct st_dec st_decode(struct st_reply *r)
{
	struct st_dec d = {r->body, r->body + r->n, r, 0, 0};
	return d;
}

static inline const uint8_t *st_take(struct st_dec *d, size_t n)
{
	const uint8_t *p = d->p;
	if (d->bad || (size_t)(d->end - d->p) < n) {
		d->bad = 1;
		return NULL;
	}
	d->p += n;
	return p;
}

static inline uint8_t st_get8(struct st_dec *d)
{
	const uint8_t *p = st_take(d, 1);
	return p != NULL ? *p : 0;
}

static inline uint8_t st_getbool(struct st_dec *d)
{
	uint8_t v = st_get8(d);
	if (v > 1)
		d->bad = 1;
	return v;
}

static inline uint32_t st_get32(struct st_dec *d)
{
	const uint8_t *p = st_take(d, 4);
	return p != NULL ? st_le32(p) : 0;
}

static inline uint64_t st_get64(struct st_dec *d)
{
	uint64_t low = st_get32(d);
	return low | (uint64_t)st_get32(d) << 32;
}

static inline struct st_str st_getstr(struct st_dec *d)
{
	struct st_str s = {"", 0};
	uint32_t n = st_get32(d);
	const uint8_t *p = st_take(d, n);
	if (p != NULL && n != 0) {
		s.p = (const char *)p;
		s.n = n;
	}
	return s;
}

static inline struct st_str st_getopt(struct st_dec *d)
{
	struct st_str none = {NULL, 0};
	return st_getbool(d) ? st_getstr(d) : none;
}

/* st_getlist gives room for the elements of a list whose wire form takes at
 * least min bytes each; a length that the rest cannot hold is refused. */
static inline void *st_getlist(struct st_dec *d, size_t min, size_t size, uint32_t *n)
{
	uint64_t count = st_get32(d);
	void *p;
	*n = 0;
	if (count * min > (uint64_t)(d->end - d->p))
		d->bad = 1;
	if (d->bad || count == 0)
		return NULL;
	p = st_listmem(d->r, count * size);
	if (p == NULL) {
		d->bad = d->memory = 1;
		return NULL;
	}
	*n = (uint32_t)count;
	return p;
}

#endif
