"""The audit: is this build more biased than the one that was tested? Files in, one page and an exit status out."""
