/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text: UTF-8 and UTF-16 (ABI-40 to ABI-42). On the wire a text is UTF-8; a
 * lone surrogate of a W text travels as its three bytes, and comes back so.
 * No wcs function is called: wchar_t may have either size in the program.
 */
#include "internal.h"
#include "winnls.h"

struct st_str st_text(const char *s)
{
	struct st_str t = {s, 0};
	if (s != NULL)
		t.n = (uint32_t)strlen(s);
	return t;
}

size_t st_wide_length(const WCHAR *s)
{
	size_t n = 0;
	while (s[n] != 0)
		n++;
	return n;
}

/* next reads one code point of p[0:n] and gives the bytes used, 0 for an
 * invalid one. Surrogates are taken: see above. */
static size_t next(const unsigned char *p, size_t n, uint32_t *c)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	size_t i, k;
	if (p[0] < 0x80) {
		*c = p[0];
		return 1;
	}
	k = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
	if (p[0] < 0xC2 || p[0] > 0xF4 || k > n)
		return 0;
	*c = p[0] & (0xFFu >> (k + 1));
	for (i = 1; i < k; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3Fu);
	}
	return *c >= least[k] && *c <= 0x10FFFF ? k : 0;
}

int st_valid_utf8(const char *s, size_t n)
{
	uint32_t c;
	size_t i = 0, k;
	while (i < n) {
		k = next((const unsigned char *)s + i, n - i, &c);
		if (k == 0 || (c >= 0xD800 && c <= 0xDFFF))
			return 0;
		i += k;
	}
	return 1;
}

/* st_to_wide writes at most room units and gives how many there are. An
 * invalid byte becomes U+FFFD. */
size_t st_to_wide(const char *s, size_t n, WCHAR *out, size_t room)
{
	size_t i = 0, u = 0, k;
	while (i < n) {
		uint32_t c;
		k = next((const unsigned char *)s + i, n - i, &c);
		if (k == 0) {
			c = 0xFFFD;
			k = 1;
		}
		i += k;
		if (c < 0x10000) {
			if (u < room)
				out[u] = (WCHAR)c;
			u++;
			continue;
		}
		c -= 0x10000;
		if (u + 1 < room) {
			out[u] = (WCHAR)(0xD800 + (c >> 10));
			out[u + 1] = (WCHAR)(0xDC00 + (c & 0x3FF));
		}
		u += 2;
	}
	return u;
}

static size_t put(char *out, size_t at, size_t room, uint32_t c)
{
	unsigned char b[4];
	size_t k, i;
	if (c < 0x80)
		b[0] = (unsigned char)c, k = 1;
	else if (c < 0x800)
		b[0] = (unsigned char)(0xC0 | c >> 6), b[1] = (unsigned char)(0x80 | (c & 0x3F)), k = 2;
	else if (c < 0x10000)
		b[0] = (unsigned char)(0xE0 | c >> 12), b[1] = (unsigned char)(0x80 | (c >> 6 & 0x3F)), b[2] = (unsigned char)(0x80 | (c & 0x3F)), k = 3;
	else
		b[0] = (unsigned char)(0xF0 | c >> 18), b[1] = (unsigned char)(0x80 | (c >> 12 & 0x3F)), b[2] = (unsigned char)(0x80 | (c >> 6 & 0x3F)), b[3] = (unsigned char)(0x80 | (c & 0x3F)), k = 4;
	if (at + k <= room)
		for (i = 0; i < k; i++)
			out[at + i] = (char)b[i];
	return k;
}

/* from_wide gives the bytes of the UTF-8 form; bad counts lone surrogates. */
static size_t from_wide(const WCHAR *s, size_t units, char *out, size_t room, int *bad)
{
	size_t i, n = 0;
	*bad = 0;
	for (i = 0; i < units; i++) {
		uint32_t c = s[i];
		if (c >= 0xD800 && c <= 0xDBFF && i + 1 < units && s[i + 1] >= 0xDC00 && s[i + 1] <= 0xDFFF) {
			c = 0x10000 + ((c - 0xD800) << 10) + (s[i + 1] - 0xDC00u);
			i++;
		} else if (c >= 0xD800 && c <= 0xDFFF)
			++*bad;
		n += put(out, n, room, c);
	}
	return n;
}

char *st_from_wide(const WCHAR *s, size_t units, uint32_t *n)
{
	int bad;
	size_t k = from_wide(s, units, NULL, 0, &bad);
	char *p = malloc(k + 1);
	if (p != NULL) {
		from_wide(s, units, p, k, &bad);
		p[k] = 0;
		*n = (uint32_t)k;
	}
	return p;
}

uint32_t st_arg_a(struct st_arg *a, const char *s)
{
	a->own = NULL;
	a->s = st_text(s);
	if (s != NULL && !st_valid_utf8(s, a->s.n))
		return ERROR_NO_UNICODE_TRANSLATION;
	return 0;
}

uint32_t st_arg_w(struct st_arg *a, const WCHAR *s)
{
	a->own = NULL;
	a->s.p = NULL;
	a->s.n = 0;
	if (s == NULL)
		return 0;
	a->own = st_from_wide(s, st_wide_length(s), &a->s.n);
	a->s.p = a->own;
	return a->own != NULL ? 0 : ERROR_NOT_ENOUGH_MEMORY;
}

void st_arg_free(struct st_arg *a) { free(a->own); }

ST_EXPORT int MultiByteToWideChar(UINT cp, DWORD flags, LPCSTR s, int n, LPWSTR out, int room)
{
	size_t len, u;
	if (cp != CP_UTF8 && cp != CP_ACP && cp != CP_OEMCP)
		return st_fail("MultiByteToWideChar", ERROR_INVALID_PARAMETER);
	if (s == NULL || n == 0 || n < -1 || room < 0 || (room > 0 && (out == NULL || (const void *)out == (const void *)s)))
		return st_fail("MultiByteToWideChar", ERROR_INVALID_PARAMETER);
	len = n < 0 ? strlen(s) + 1 : (size_t)n;
	if ((flags & MB_ERR_INVALID_CHARS) && !st_valid_utf8(s, len))
		return st_fail("MultiByteToWideChar", ERROR_NO_UNICODE_TRANSLATION);
	u = st_to_wide(s, len, out, (size_t)room);
	if (room > 0 && u > (size_t)room)
		return st_fail("MultiByteToWideChar", ERROR_INSUFFICIENT_BUFFER);
	return (int)u;
}

ST_EXPORT int WideCharToMultiByte(UINT cp, DWORD flags, LPCWSTR s, int n, LPSTR out, int room, LPCSTR standin, LPBOOL used)
{
	size_t len, i, k = 0;
	int bad;
	if ((cp != CP_UTF8 && cp != CP_ACP && cp != CP_OEMCP) || (cp == CP_UTF8 && (standin != NULL || used != NULL)))
		return st_fail("WideCharToMultiByte", ERROR_INVALID_PARAMETER);
	if (s == NULL || n == 0 || n < -1 || room < 0 || (room > 0 && (out == NULL || (const void *)out == (const void *)s)))
		return st_fail("WideCharToMultiByte", ERROR_INVALID_PARAMETER);
	len = n < 0 ? st_wide_length(s) + 1 : (size_t)n;
	/* A text for the program is valid UTF-8: lone surrogates become U+FFFD. */
	bad = 0;
	for (i = 0; i < len; i++) {
		uint32_t c = s[i];
		if (c >= 0xD800 && c <= 0xDBFF && i + 1 < len && s[i + 1] >= 0xDC00 && s[i + 1] <= 0xDFFF) {
			c = 0x10000 + ((c - 0xD800) << 10) + (s[i + 1] - 0xDC00u);
			i++;
		} else if (c >= 0xD800 && c <= 0xDFFF) {
			c = 0xFFFD;
			bad++;
		}
		k += put(out, k, (size_t)room, c);
	}
	if (bad && (flags & WC_ERR_INVALID_CHARS))
		return st_fail("WideCharToMultiByte", ERROR_NO_UNICODE_TRANSLATION);
	if (used != NULL)
		*used = bad != 0;
	if (room > 0 && k > (size_t)room)
		return st_fail("WideCharToMultiByte", ERROR_INSUFFICIENT_BUFFER);
	return (int)k;
}

/* The lstr functions. Case: ASCII and Latin-1 letters fold here; object names
 * are compared by the daemon. */
static uint32_t fold(uint32_t c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 0xE0 && c <= 0xFE && c != 0xF7))
		return c - 32;
	return c;
}

#define LSTR(F, CH, LEN) \
	ST_EXPORT int lstrlen##F(const CH *s) { return s == NULL ? 0 : (int)LEN(s); } \
	ST_EXPORT int lstrcmp##F(const CH *a, const CH *b) \
	{ \
		if (a == NULL || b == NULL) return a == b ? 0 : a == NULL ? -1 : 1; \
		while (*a != 0 && *a == *b) a++, b++; \
		return *a == *b ? 0 : *a < *b ? -1 : 1; \
	} \
	ST_EXPORT int lstrcmpi##F(const CH *a, const CH *b) \
	{ \
		uint32_t x, y; \
		if (a == NULL || b == NULL) return a == b ? 0 : a == NULL ? -1 : 1; \
		while (*a != 0 && fold((uint32_t)*a) == fold((uint32_t)*b)) a++, b++; \
		x = fold((uint32_t)*a); \
		y = fold((uint32_t)*b); \
		return x == y ? 0 : x < y ? -1 : 1; \
	} \
	ST_EXPORT CH *lstrcpyn##F(CH *to, const CH *from, int n) \
	{ \
		int i = 0; \
		if (to == NULL || from == NULL || n <= 0) return NULL; \
		for (; i + 1 < n && from[i] != 0; i++) to[i] = from[i]; \
		to[i] = 0; \
		return to; \
	} \
	ST_EXPORT CH *lstrcpy##F(CH *to, const CH *from) \
	{ \
		if (to == NULL || from == NULL) return NULL; \
		memmove(to, from, (LEN(from) + 1) * sizeof *to); \
		return to; \
	} \
	ST_EXPORT CH *lstrcat##F(CH *to, const CH *from) \
	{ \
		if (to == NULL || from == NULL) return NULL; \
		memmove(to + LEN(to), from, (LEN(from) + 1) * sizeof *to); \
		return to; \
	}
LSTR(A, CHAR, strlen)
LSTR(W, WCHAR, st_wide_length)
