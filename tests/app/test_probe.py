def test_x(broker):
    print(broker)
    from app.broker import is_reachable
    assert is_reachable(broker)
