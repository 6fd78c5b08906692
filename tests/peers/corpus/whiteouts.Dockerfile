# Removed files and folders, folders made anew, a file for a folder and the other way round.
FROM base
COPY app /app
RUN mkdir -p /d/sub /e/sub /f && touch /d/1 /d/2 /d/sub/3 /e/1 /e/sub/2 /f/1 && ln -s d /l
RUN rm /d/1 && rm -r /app/conf
RUN rm -r /d && mkdir /d && touch /d/2 /d/new
RUN rm -r /e && echo file > /e && rm -r /f && ln -s app /f
RUN rm /e /l && mkdir /e /l && touch /e/1
RUN mkdir /app/conf && touch /gone && rm /gone && mv /app/empty /app/moved
RUN rm -r /app && cp -a /etc /app
