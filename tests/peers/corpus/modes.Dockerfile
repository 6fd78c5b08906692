# Setuid, setgid, sticky, unreadable, and what --chmod makes of them.
FROM base
COPY modes /modes/
COPY --chmod=4711 app/main.sh /bin/setuid
COPY --chmod=u=rwX,go=rX modes /symbolic/
RUN cp /bin/busybox /bin/6755 && chmod 6755 /bin/6755 && mkdir -m 3777 /sticky && mkdir -m 2750 /group && \
    touch /none /sticky/x && chmod 0 /none
RUN chmod 0500 /modes && chmod u-s /bin/setuid
