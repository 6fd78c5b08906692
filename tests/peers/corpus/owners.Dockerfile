# needs: ids
# Other owners by number and by name, of files and symlinks, and steps as another user.
FROM base
RUN echo 'app:x:1234:1234::/home/app:/bin/sh' >> /etc/passwd && echo 'app:x:1234:' >> /etc/group
COPY --chown=1000:1001 app /numbered/
COPY --chown=app app/main.sh /named/made/
ADD owners.tar.gz /owners/
RUN chown -h 33:33 /numbered/link && chown 65534:0 /numbered/main.sh && chown -R app /numbered/conf
USER app
WORKDIR /home/app
RUN id > id && mkdir own && echo x > own/x
USER 4000:5000
RUN id -u > /tmp/as-4000
