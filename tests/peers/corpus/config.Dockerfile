# No layer but WORKDIR's.
FROM base
MAINTAINER somebody
ENV A=1 B="two words"
LABEL one=1 two="2 3"
EXPOSE 80 443/tcp 53/udp
VOLUME /data /more
WORKDIR /var/lib/app
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s --retries=2 CMD true
ONBUILD RUN echo triggered
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo hi"]
