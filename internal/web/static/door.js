// SPDX-License-Identifier: Apache-2.0

// Goes on to the console from the sign-in page, with the session that the
// address names. Without JavaScript the page goes on by itself.
location.replace(`/${location.hash}`);
