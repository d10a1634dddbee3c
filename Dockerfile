# The environment of requirements/lock.txt as an image: docker build --tag edgebias:0.1.0 .
# Then: docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/study" --workdir /study edgebias:0.1.0 snakemake --cores 4
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends build-essential cmake git libgomp1 make \
    && rm -rf /var/lib/apt/lists/*
COPY . /opt/edgebias
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
        --requirement /opt/edgebias/requirements/lock.txt \
    && pip install --no-cache-dir --no-deps --editable /opt/edgebias
# A home and a name for whoever runs it, and a checkout that another user owns.
RUN mkdir --mode 1777 /home/any && git config --system --add safe.directory '*'
ENV HOME=/home/any USER=any
