"""Lets ``python -m celery_sentinel`` stand in for the console script."""

from celery_sentinel import cli

if __name__ == "__main__":
    cli.main()
