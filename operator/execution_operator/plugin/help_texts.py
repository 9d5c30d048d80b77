"""The longer texts of --help."""

DRY_RUN_HELP = "change nothing; `server` runs the complete admission, `client` sends no termination requests"
"""The help of --dry-run."""

DESCRIPTION = "Terminates the Temporal workflows of Executions, and shows the state of Executions."
"""The description of the program."""

EXAMPLES = """\
examples:
  # terminate one workflow, and wait until it is closed in Temporal
  kubectl execution terminate stubborn -n team-a --reason "runaway cost" --wait

  # terminate all workflows with a label; request cancellation first, and wait 30 seconds for it
  kubectl execution terminate -l batch=nightly --reason "wrong input" --grace 30s --wait=10m

  # terminate a workflow that has no Execution yet
  kubectl execution terminate --execution-id 0f8c2a9e-… --reason "orphaned"

  # check what would be requested, and whether you may request it
  kubectl execution terminate --all -n team-a --reason "drill" --dry-run=server

  # create Executions for the open workflows of a type in your Temporal namespace
  kubectl execution import -n team-a --query "WorkflowType='Agent'"

  # find out why terminations do not work
  kubectl execution doctor -n team-a

exit codes: 0 success, 1 some or all failed, 2 wrong usage, 3 timed out, 130 interrupted
"""
"""The examples and exit codes below the help."""
