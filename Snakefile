# The workflow lives in workflow/; this file lets `snakemake --cores 4` find it from the top of the checkout.
include: "workflow/Snakefile"


# An included file cannot set the default target: without this line a bare call would run nothing.
workflow.default_target = "all"
