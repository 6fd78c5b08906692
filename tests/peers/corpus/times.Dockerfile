# Times before and after the epoch, before 1970, and a file rewritten with what it had.
FROM base
RUN touch -d '2001-02-03 04:05:06' /old && touch -d '2037-01-01 00:00:00' /future && echo 1 > /same
RUN touch -d '2002-02-03 04:05:06' /old
RUN echo 1 > /same
COPY --from=base /bin/busybox /copy
RUN touch -d '1999-01-01 00:00:00' /etc /tmp
