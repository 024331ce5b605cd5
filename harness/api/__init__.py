"""What both the command line and `import upbench` do: plan, run, read and report a study.

Read `running.py` first. `upbench.py` offers these functions; the command line prints what they give. Only
`harness/cli/` imports this. Everything heavy is imported within the functions.
"""
