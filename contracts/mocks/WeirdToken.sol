// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice How a {WeirdToken} misbehaves.
enum Fault {
    NONE,
    RETURNS_NOTHING,
    RETURNS_FALSE,
    TAKES_FEE,
    BLOCKS,
    REENTERS,
    REVERTS,
    SHRINKS
}

/// @notice A token that misbehaves on demand, also after it was listed. For tests.
contract WeirdToken {
    string public name = "Weird";
    string public symbol = "WEIRD";
    uint8 public immutable decimals;
    uint256 public totalSupply;
    Fault public fault;
    address public blocked;
    address private _target;
    bytes private _call;
    bool public reentered;
    bytes public answer;
    mapping(address owner => uint256) private _balance;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }

    function setFault(Fault fault_) external {
        fault = fault_;
    }

    function setBlocked(address who) external {
        blocked = who;
    }

    /// @dev What {Fault.REENTERS} calls from within a transfer.
    function setCall(address target, bytes calldata data) external {
        (_target, _call) = (target, data);
    }

    function mint(address to, uint256 amount) external {
        _balance[to] += amount;
        totalSupply += amount;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function balanceOf(address owner) external view returns (uint256) {
        return fault == Fault.SHRINKS ? _balance[owner] / 2 : _balance[owner];
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        return _answer();
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        require(allowance[from][msg.sender] >= amount, "allowance");
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
        return _answer();
    }

    function _move(address from, address to, uint256 amount) private {
        require(fault != Fault.REVERTS, "paused");
        require(fault != Fault.BLOCKS || (from != blocked && to != blocked), "blocked");
        if (fault == Fault.RETURNS_FALSE) return;
        if (fault == Fault.REENTERS && _target != address(0)) (reentered, answer) = _target.call(_call);
        require(_balance[from] >= amount, "balance");
        _balance[from] -= amount;
        _balance[to] += fault == Fault.TAKES_FEE ? amount - amount / 100 : amount;
    }

    function _answer() private view returns (bool) {
        if (fault == Fault.RETURNS_NOTHING) {
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        return fault != Fault.RETURNS_FALSE;
    }
}
