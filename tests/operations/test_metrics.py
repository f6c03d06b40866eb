"""Metrics have the field's names, and for one release their old ones beside them."""

from market.operations import with_old_names

PAGE = b"""\
# HELP market_batch_size calls served in one go
# TYPE market_batch_size histogram
market_batch_size_bucket{le="1.0",operation="purchases"} 3.0
market_batch_size_count{operation="purchases"} 3.0
# HELP market_batch_sizes another metric
market_batch_sizes 1.0
db_client_connection_wait_time_seconds_sum 0.5
python_info{operation="market_batch_size"} 1.0
"""
OLD = b"""\
# HELP market_group_size calls served in one go
# TYPE market_group_size histogram
market_group_size_bucket{le="1.0",of="purchases"} 3.0
market_group_size_count{of="purchases"} 3.0
market_connection_awaited_seconds_sum 0.5
"""


def test_a_renamed_metric_is_there_under_both_names_and_no_other_is_repeated() -> None:
    assert with_old_names(PAGE) == PAGE + OLD
