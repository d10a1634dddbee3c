"""The same items in every order of options, template and wording of "unknown"."""
