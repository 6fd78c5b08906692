# Stages side by side, from stages by name and number, from an image, into scratch.
FROM base AS one
RUN mkdir /out && echo one > /out/one && ln -s one /out/link && chmod 0711 /out
FROM base AS two
RUN mkdir /out && echo two > /out/two
FROM scratch AS unused
COPY nowhere /
FROM scratch
COPY --from=one /out/ /out/
COPY --from=1 /out /out
COPY --from=base /etc/passwd /etc/
COPY --from=one /out/link /followed
