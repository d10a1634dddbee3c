"""What made the numbers: versions, machine, commit and hashes. They have a file of their own."""
