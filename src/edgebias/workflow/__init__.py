"""What Snakemake and DVC share: settings of each rule, code closures, and the generated ``dvc.yaml``."""
