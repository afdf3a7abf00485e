/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors and SIDs as far as other functions need them. */
#include "internal.h"

size_t st_sid_length(const void *sid)
{
	const SID *s = sid;
	return 8 + 4 * (size_t)s->SubAuthorityCount;
}

size_t st_sid_parse(struct st_str text, uint8_t *out)
{
	uint64_t v[17];
	size_t n = 0, i;
	const char *p = text.p, *end = text.p + text.n;
	if (text.n < 2 || p[0] != 'S' || p[1] != '-')
		return 0;
	p += 2;
	while (p < end && n < 17) {
		uint64_t x = 0;
		if (*p < '0' || *p > '9')
			return 0;
		while (p < end && *p >= '0' && *p <= '9' && x < (1ull << 48))
			x = x * 10 + (uint64_t)(*p++ - '0');
		v[n++] = x;
		if (p < end && *p++ != '-')
			return 0;
	}
	if (n < 2 || p != end || v[0] != 1)
		return 0;
	out[0] = 1;
	out[1] = (uint8_t)(n - 2);
	for (i = 0; i < 6; i++)
		out[2 + i] = (uint8_t)(v[1] >> (8 * (5 - i)));
	for (i = 2; i < n; i++) {
		uint32_t x = (uint32_t)v[i];
		memcpy(out + 8 + 4 * (i - 2), &x, 4);
	}
	return 8 + 4 * (n - 2);
}

static int good_sid(PSID sid) { return sid == NULL || (sid->Revision == SID_REVISION && sid->SubAuthorityCount <= SID_MAX_SUB_AUTHORITIES); }
static int good_acl(const ACL *a) { return a == NULL || ((a->AclRevision == ACL_REVISION || a->AclRevision == ACL_REVISION_DS) && a->AclSize >= sizeof *a); }

/* relative gives the length of a self-relative descriptor by its parts, which
 * carry their own lengths; the daemon checks the rest. */
static size_t relative(const SECURITY_DESCRIPTOR_RELATIVE *s)
{
	const uint8_t *base = (const uint8_t *)s;
	size_t end = sizeof *s;
	DWORD sids[2] = {s->Owner, s->Group}, acls[2] = {s->Sacl, s->Dacl};
	int i;
	for (i = 0; i < 2; i++) {
		if (sids[i] != 0 && sids[i] + st_sid_length(base + sids[i]) > end)
			end = sids[i] + st_sid_length(base + sids[i]);
		if (acls[i] != 0) {
			ACL a;
			memcpy(&a, base + acls[i], sizeof a);
			if (acls[i] + (size_t)a.AclSize > end)
				end = acls[i] + (size_t)a.AclSize;
		}
	}
	return end;
}

uint32_t st_sd(PSECURITY_DESCRIPTOR sd, struct st_str *out, char **own)
{
	SECURITY_DESCRIPTOR *s = sd;
	SECURITY_DESCRIPTOR_RELATIVE head;
	size_t n, at = sizeof head, owner, group, sacl, dacl;
	out->p = "";
	out->n = 0;
	*own = NULL;
	if (sd == NULL)
		return 0;
	if (s->Revision != SECURITY_DESCRIPTOR_REVISION)
		return ERROR_INVALID_SECURITY_DESCR;
	if (s->Control & SE_SELF_RELATIVE) {
		n = relative(sd);
		if (n > ST_MAX_REQUEST / 2)
			return ERROR_INVALID_SECURITY_DESCR;
		out->p = sd;
		out->n = (uint32_t)n;
		return 0;
	}
	if (!good_sid(s->Owner) || !good_sid(s->Group))
		return ERROR_INVALID_SID;
	if (((s->Control & SE_SACL_PRESENT) && !good_acl(s->Sacl)) || ((s->Control & SE_DACL_PRESENT) && !good_acl(s->Dacl)))
		return ERROR_INVALID_ACL;
	owner = s->Owner != NULL ? st_sid_length(s->Owner) : 0;
	group = s->Group != NULL ? st_sid_length(s->Group) : 0;
	sacl = (s->Control & SE_SACL_PRESENT) && s->Sacl != NULL ? s->Sacl->AclSize : 0;
	dacl = (s->Control & SE_DACL_PRESENT) && s->Dacl != NULL ? s->Dacl->AclSize : 0;
	*own = malloc(sizeof head + owner + group + sacl + dacl);
	if (*own == NULL)
		return ERROR_NOT_ENOUGH_MEMORY;
	memset(&head, 0, sizeof head);
	head.Revision = s->Revision;
	head.Control = (SECURITY_DESCRIPTOR_CONTROL)(s->Control | SE_SELF_RELATIVE);
#define PART(FIELD, LEN, FROM) \
	if (LEN != 0) { \
		head.FIELD = (DWORD)at; \
		memcpy(*own + at, FROM, LEN); \
		at += LEN; \
	}
	PART(Owner, owner, s->Owner)
	PART(Group, group, s->Group)
	PART(Sacl, sacl, s->Sacl)
	PART(Dacl, dacl, s->Dacl)
	memcpy(*own, &head, sizeof head);
	out->p = *own;
	out->n = (uint32_t)at;
	return 0;
}

uint32_t st_sa(const SECURITY_ATTRIBUTES *sa, struct st_str *out, char **own)
{
	return st_sd(sa != NULL ? sa->lpSecurityDescriptor : NULL, out, own);
}

ST_EXPORT BOOL IsValidSecurityDescriptor(PSECURITY_DESCRIPTOR sd)
{
	SECURITY_DESCRIPTOR *s = sd;
	if (s == NULL || s->Revision != SECURITY_DESCRIPTOR_REVISION)
		return FALSE;
	if (s->Control & SE_SELF_RELATIVE)
		return TRUE;
	return good_sid(s->Owner) && good_sid(s->Group) && (!(s->Control & SE_DACL_PRESENT) || good_acl(s->Dacl)) &&
		(!(s->Control & SE_SACL_PRESENT) || good_acl(s->Sacl));
}
