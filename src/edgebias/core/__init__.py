"""What every part stands on: files, tables, errors, seeds; nothing here knows of models."""
