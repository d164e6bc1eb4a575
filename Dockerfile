# The console as an image: static files are built in, nothing is installed at start.
FROM node:22-slim AS frontend
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --omit=dev

FROM python:3.12-slim AS console
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 REDISOPS_ENV=production REDISOPS_DATA=/data \
    HOST=0.0.0.0 PORT=8000
WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY manage.py pyproject.toml ./
COPY redisops redisops
COPY dashboard dashboard
COPY demo demo
COPY templates templates

FROM console AS static
COPY static static
COPY --from=frontend /app/node_modules node_modules
# Settings insist on a key and a host name in production; building static files uses neither.
RUN SECRET_KEY=build ALLOWED_HOSTS=build python manage.py collectstatic --noinput --verbosity 0

FROM console
# lucide's icons are read from the package when a page is rendered.
COPY --from=frontend /app/node_modules/lucide-static node_modules/lucide-static
COPY static static
COPY --from=static /app/staticfiles staticfiles
RUN useradd --uid 10001 redisops && install -d -o 10001 -m 0700 /data
USER 10001
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "dashboard.run"]
