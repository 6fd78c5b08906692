# Local archives are unpacked: owners, modes, hard links, symlinks, a name beyond 100 bytes.
FROM base
ADD tree.tar.gz /tree/
ADD tree.tar /again/
ADD --unpack=false tree.tar.gz /packed/
ADD app/data/one /etc/not-an-archive
