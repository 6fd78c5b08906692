# A trigger of a stage runs in the stage that builds on it.
FROM base AS trigger
ONBUILD COPY app/main.sh /triggered
ONBUILD RUN cat /triggered > /ran
FROM trigger
RUN ls / > /listed
