"""`python -m weaklabel`: the same as the command `weaklabel`."""

from weaklabel.cli.main import app

if __name__ == "__main__":
    app(prog_name="weaklabel")
