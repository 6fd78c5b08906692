/* cli/build_attest.c - --attest, --sbom and --provenance of kiln build.  Spec: docker buildx build.
 *
 * buildx makes provenance when nothing is said, unless $BUILDX_NO_DEFAULT_ATTESTATIONS is set; here
 * nothing is made when nothing is said, so the variable changes nothing. */
#include "cli/build_flags.h"

int build_take_attest(const struct build_flags *f, struct attest_options *out, struct err *err)
{
    vec_each (&f->attest, text)
        if (attest_options_parse(*text, out, err))
            return -1;
    if (f->sbom && attest_options_short("sbom", f->sbom, out, err))
        return -1;
    return f->provenance ? attest_options_short("provenance", f->provenance, out, err) : 0;
}
