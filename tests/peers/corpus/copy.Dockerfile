# Files, folders, patterns, destinations with and without a slash, a relative WORKDIR.
FROM base
WORKDIR /app
COPY app/main.sh .
COPY app/conf/*.conf app/data/one /etc/app/
COPY app conf-of-app
COPY ["odd/with space", "odd/größe", "/odd/"]
COPY --exclude=*.conf app /without-conf/
COPY --parents app/conf/a.conf odd/./größe /parents/
WORKDIR sub
COPY app/empty empty
