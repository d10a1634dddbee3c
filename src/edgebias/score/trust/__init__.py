"""Trust of compressed builds: scores from 0 to 100 beside what nobody answered, controls, and the full build."""
