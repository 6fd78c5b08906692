# A file capability comes out of an archive, is copied, survives another owner's step.
FROM base AS holder
ADD capability.tar /
FROM base
COPY --from=holder /capable /bin/capable
RUN touch /beside
RUN cat /bin/capable > /bin/not-capable && mv /bin/capable /bin/moved
