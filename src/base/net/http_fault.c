/* base/net/http_fault.c - what went wrong on the wire, said so that a person can act on it.
 *
 * The kind decides about retries: NETWORK and TIMEOUT may go away by themselves, INVALID will not.
 * Texts are made of the redacted URL, host names and curl's reason; no URL of curl's is ever
 * printed.
 *
 * Threads: no state. */
#include <stdlib.h>
#include <string.h>

#include "base/core/mem.h"
#include "base/net/curl_internal.h"

/* "host:port" that the transfer spoke to last; after a redirect that is another than it was asked
 * for. */
static char *place_of(const struct transfer *t)
{
    AUTO_VALUE(url_clear) struct url url = { 0 };
    struct err ignored = { 0 };
    const char *text = NULL;
    curl_easy_getinfo(t->lane->easy, CURLINFO_EFFECTIVE_URL, &text);
    const struct url *u = &t->url;
    if (text && !url_parse(span_of(text), &url, &ignored) && url.host)
        u = &url;
    unsigned port = u->port ? u->port : !strcmp(u->scheme, "https") ? 443 : 80;
    return xasprintf(strchr(u->host, ':') ? "[%s]:%u" : "%s:%u", u->host, port);
}

static const char *reason_of(const struct transfer *t, CURLcode code)
{
    return t->reason[0] ? t->reason : curl_easy_strerror(code);
}

/* "127.0.0.1 port 80" out of curl's "Failed to connect to 127.0.0.1 port 80 after 12 ms: ...". */
static struct span peer_of(const struct transfer *t)
{
    static const char before[] = "Failed to connect to ";
    const char *after = strstr(t->reason, " after ");
    if (!after || !span_starts(span_of(t->reason), before))
        return (struct span){ 0 };
    const char *peer = t->reason + sizeof before - 1;
    return span_bytes(peer, (size_t)(after - peer));
}

static int refused_fault(const struct transfer *t, const char *place, struct err *err)
{
    long number = 0;
    curl_easy_getinfo(t->lane->easy, CURLINFO_OS_ERRNO, &number);
    const char *why = number ? strerrordesc_np((int)number) : "no connection";
    struct span peer = peer_of(t);
    if (!peer.len)
        peer = span_of(place);
    err_set(err, ERR_NETWORK, "%s: connect to %.*s: %s", t->name, SPAN_ARG(peer), why);
    struct span rest = peer, host = span_cut(&rest, ' ');
    AUTO_FREE char *name = span_dup(host);
    if (!strstr(place, name))
        return err_hint(err,
                        "%s is the proxy that the environment names: look at HTTP_PROXY, "
                        "HTTPS_PROXY and NO_PROXY",
                        name);
    return err_hint(err,
                    "is something listening at %s, and may this machine reach it? (port, "
                    "firewall, network policy)",
                    place);
}

static int untrusted_fault(const struct transfer *t, CURLcode code, const char *place,
                           struct err *err)
{
    const char *ca_file = t->config->ca_file;
    if (!ca_file)
        ca_file = curl_version_info(CURLVERSION_NOW)->cainfo;
    err_set(err, ERR_INVALID, "%s: verify the certificate of %s: %s", t->name, place,
            reason_of(t, code));
    if (strstr(t->reason, "does not match") || strstr(t->reason, "no alternative"))
        return err_hint(err, "use a host name that is in the certificate, or --insecure");
    const struct http_tls *tls = t->request->tls;
    AUTO_VALUE(buf_clear) struct buf given;
    buf_init(&given, ERR_HINT_MAX);
    for (size_t i = 0; tls && tls->ca_files && i < tls->ca_files->n; i++)
        if (buf_room(&given) > strlen(tls->ca_files->items[i]) + 8)
            buf_printf(&given, " and %s", tls->ca_files->items[i]);
    return err_hint(err,
                    "trusted are the CAs in %s%s; give the CA of %s as a PEM file, or use "
                    "--insecure to trust any",
                    ca_file ? ca_file : "no file", given.len ? given.data : "", place);
}

static int tls_fault(const struct transfer *t, CURLcode code, const char *place, struct err *err)
{
    const char *reason = reason_of(t, code);
    err_set(err, ERR_INVALID, "%s: start TLS with %s: %s", t->name, place, reason);
    if (strstr(reason, "wrong version number") || strstr(reason, "packet length too long") ||
        strstr(reason, "http request"))
        return err_hint(err,
                        "%s seems to speak plain HTTP: use http://, or --insecure for a "
                        "registry without TLS",
                        place);
    if (strstr(reason, "alert"))
        return -1; /* the server has decided */
    if (code == CURLE_SSL_CONNECT_ERROR)
        err->kind = ERR_NETWORK; /* cut off in the handshake */
    return -1;
}

/* The connection was there and broke, or what came is no HTTP. */
static int broken_fault(const struct transfer *t, CURLcode code, const char *place, struct err *err)
{
    const char *reason = reason_of(t, code);
    if (strstr(reason, "alert")) {
        err_set(err, ERR_INVALID, "%s: %s refuses TLS: %s", t->name, place, reason);
        return strstr(reason, "certificate") ? err_hint(err,
                                                        "%s wants a client certificate, or "
                                                        "another one than it got",
                                                        place)
                                             : -1;
    }
    err_set(err, ERR_NETWORK, "%s: %s with %s: %s", t->name,
            code == CURLE_SEND_ERROR ? "send" : "receive", place, reason);
    bool is_plain = t->url.scheme && !strcmp(t->url.scheme, "http");
    if (is_plain && !t->has_answer &&
        (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR ||
         code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL))
        return err_hint(err, "if %s speaks TLS, use https:// (no --insecure)", place);
    return -1;
}

static int timeout_fault(const struct transfer *t, const char *place, struct err *err)
{
    err_set(err, ERR_TIMEOUT, "%s: connect to %s: no connection within %d ms", t->name, place,
            t->config->connect_timeout_ms);
    return err_hint(
        err,
        "is %s reachable from here? (address, firewall, network policy, HTTP_PROXY and NO_PROXY)",
        place);
}

static int resolve_fault(const struct transfer *t, CURLcode code, struct err *err)
{
    err_set(err, ERR_NETWORK, "%s: %s", t->name, reason_of(t, code));
    if (code == CURLE_COULDNT_RESOLVE_PROXY)
        return err_hint(err, "look at HTTP_PROXY, HTTPS_PROXY and NO_PROXY");
    return err_hint(err, "check the name, and in a Pod its dnsPolicy and network policy");
}

int http_fault(const struct transfer *t, CURLcode code, struct err *err)
{
    AUTO_FREE char *place = place_of(t);
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return resolve_fault(t, code, err);
    case CURLE_COULDNT_CONNECT:
        return refused_fault(t, place, err);
    case CURLE_OPERATION_TIMEDOUT:
        return timeout_fault(t, place, err);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return untrusted_fault(t, code, place, err);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
        return tls_fault(t, code, place, err);
    case CURLE_TOO_MANY_REDIRECTS:
        return err_set(err, ERR_INVALID, "%s: more redirects than allowed, the last by %s", t->name,
                       place);
    case CURLE_URL_MALFORMAT:
        return err_set(err, ERR_INVALID, "%s: an address that is no URL", t->name);
    case CURLE_SEND_FAIL_REWIND:
        return err_set(err, ERR_NETWORK, "%s: %s wants the body again, and it is a stream", t->name,
                       place);
    case CURLE_OUT_OF_MEMORY:
        abort();
    default:
        return broken_fault(t, code, place, err);
    }
}
