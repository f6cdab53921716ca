"""When an edge of a graph is met, and why who needs it is left out when it never will be."""

SUCCESS, FAILURE, FINISHED = "success", "failure", "finished"
UPSTREAM_FAILED, CONDITION_NOT_MET, NOT_CHOSEN = "upstream_failed", "condition_not_met", "not_chosen"


def is_met(condition: str, status: str, reason: str | None = None) -> bool:
    """Whether a member that ended like this lets go on who needs it.

    A member that was left out because another one failed has failed for whoever asks for that.
    """
    if condition == FINISHED:
        return True
    if condition == SUCCESS:
        return status == "completed"
    return status == "failed" or (status == "skipped" and reason == UPSTREAM_FAILED)


def reason_to_skip(condition: str, status: str, reason: str | None = None) -> str:
    """Why a member is left out whose condition will never be met."""
    if condition == FAILURE or reason == CONDITION_NOT_MET:
        return CONDITION_NOT_MET
    return NOT_CHOSEN if reason == NOT_CHOSEN else UPSTREAM_FAILED
