"""weaklabel apply: functions and prompts out of a Python file, over a file of items."""
