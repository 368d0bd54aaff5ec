// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    Account,
    Amendment,
    Batch,
    Deposit,
    IWalras,
    Listing,
    Parameters,
    Phase,
    Product,
    Run,
    Standing,
    Timetable,
    Treasury
} from "./interfaces/IWalras.sol";
import {AccountWord, AccountWords} from "./libraries/AccountWords.sol";
import {Application} from "./libraries/Application.sol";
import {Backing} from "./libraries/Backing.sol";
import {BatchWord, BatchWords} from "./libraries/BatchWords.sol";
import {CASH, CASH_BITS, ITEM_HEAD, MAX_CAPACITY, MIN_UNITS, UNIT_BYTES, UNIT_GAS} from "./libraries/Constants.sol";
import {Custody} from "./libraries/Custody.sol";
import {Ledger} from "./libraries/Ledger.sol";
import {Lifecycle} from "./libraries/Lifecycle.sol";
import {Market} from "./libraries/Market.sol";
import {Phases} from "./libraries/Phases.sol";
import {Seal} from "./libraries/Seal.sol";
import {Settlement} from "./libraries/Settlement.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// @dev Every function: checks, effects, event, token transfer. All documentation is in {IWalras}. Escrow and sealing are here, what
/// is called once a batch or less in linked libraries (docs/adr/0001) that work on {Market-State}.
/// What calls no token is `nonReentrantView`: it cannot be re-entered, it only refuses to run inside a token's call.
contract Walras is IWalras, ReentrancyGuardTransient {
    using Ledger for Ledger.Data;
    using Custody for Listing;
    using AccountWords for Account;
    using BatchWords for Batch;
    using Market for Market.State;

    address private immutable OPERATOR;
    address private immutable CASH_TOKEN;
    uint256 private immutable CASH_UNIT;
    uint256 private immutable GENESIS;
    uint256 private immutable PERIOD;
    uint256 private immutable LOCK_IN;
    uint256 private immutable LOCK_OUT;
    uint256 private immutable REVEAL_FROM;
    uint256 private immutable KEY_DEADLINE;
    uint256 private immutable EXCLUSIVE_UNTIL;
    uint256 private immutable DEADLINE;
    uint256 private immutable BLOCK_TIME;
    uint256 private immutable CAPACITY;
    uint256 private immutable CASH_CAP;
    uint256 private immutable COVER_CAP;
    uint256 private immutable BOND;
    uint256 private immutable COMPENSATION;
    uint256 private immutable CASH_PER_WEI;
    uint256 private immutable MIN_BASE_FEE;

    Market.State private _s;

    constructor(Parameters memory p) {
        Phases.validate(p.timetable, p.blockTime);
        if (p.operator == address(0)) revert BadParameter("operator", 0);
        if (p.cash.code.length == 0) revert NoToken(p.cash);
        if (p.cashUnit == 0) revert BadParameter("cashUnit", 0);
        if (p.capacity < MIN_UNITS || p.capacity > MAX_CAPACITY) revert BadParameter("capacity", p.capacity);
        if (p.cashCap == 0 || p.cashCap > 1 << 55) revert BadParameter("cashCap", p.cashCap);
        if (p.coverCap < p.cashCap || p.coverCap > 1 << 66) revert BadParameter("coverCap", p.coverCap);
        // no more than the least seal costs, so that voiding one's own batch never pays
        uint256 leastFee = MIN_UNITS * UNIT_GAS * p.minBaseFee * p.cashPerWei;
        if (uint256(p.compensation) << CASH_BITS > leastFee) revert BadParameter("compensation", p.compensation);
        if (uint256(p.compensation) * (p.capacity / MIN_UNITS) > p.bond) {
            revert BadParameter("compensation", p.compensation);
        }
        if (p.bond > p.cashCap) revert BadParameter("bond", p.bond);
        OPERATOR = p.operator;
        CASH_TOKEN = p.cash;
        CASH_UNIT = p.cashUnit;
        GENESIS = p.timetable.genesis;
        PERIOD = p.timetable.period;
        LOCK_IN = p.timetable.lockIn;
        LOCK_OUT = p.timetable.lockOut;
        REVEAL_FROM = p.timetable.revealFrom;
        KEY_DEADLINE = p.timetable.keyDeadline;
        EXCLUSIVE_UNTIL = p.timetable.exclusiveUntil;
        DEADLINE = p.timetable.deadline;
        BLOCK_TIME = p.blockTime;
        CAPACITY = p.capacity;
        CASH_CAP = p.cashCap;
        COVER_CAP = p.coverCap;
        BOND = p.bond;
        COMPENSATION = p.compensation;
        CASH_PER_WEI = p.cashPerWei;
        MIN_BASE_FEE = p.minBaseFee;
        _s.listings[CASH] = Listing(p.cash, p.cashUnit, 0, uint128(p.cashCap) << uint128(CASH_BITS));
        _s.isListed[p.cash] = true;
        _s.cover = uint256(p.cashCap) << 24;
    }

    modifier onlyOperator() {
        if (msg.sender != OPERATOR) revert NotOperator(msg.sender);
        _;
    }

    /* ---------------------------------------------- escrow ---------------------------------------------- */

    function deposit(uint16 asset, uint256 amount) external override nonReentrant {
        _deposit(asset, amount);
    }

    function depositWithPermit(uint16 asset, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        override
        nonReentrant
    {
        address token = _s.listing(asset).token;
        if (token.code.length == 0) revert NoToken(token);
        // a permit somebody sent ahead of us has done its work: the allowance decides
        try IERC20Permit(token).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _deposit(asset, amount);
    }

    function depositAndSeal(Deposit[] calldata deposits, uint8 units, bytes calldata ct, uint256 batch_)
        external
        override
        nonReentrant
    {
        for (uint256 i; i < deposits.length; ++i) {
            _deposit(deposits[i].asset, deposits[i].amount);
        }
        _seal(units, ct, batch_);
    }

    function withdraw(uint16 asset, uint256 amount, address to) external override nonReentrant {
        Listing storage listed = _s.listing(asset);
        _thaw(msg.sender);
        uint256 ledger;
        (amount, ledger) = listed.toPay(Market.bits(asset), amount, _s.ledger.balanceOf(msg.sender, asset));
        _s.ledger.debit(msg.sender, asset, ledger);
        emit Withdrawn(msg.sender, asset, amount, to);
        listed.give(to, amount, ledger);
    }

    function claim(address to) external override nonReentrant {
        Listing storage listed = _s.listings[CASH];
        (uint256 amount, uint256 ledger) = listed.toPay(CASH_BITS, type(uint256).max, _s.claimable[msg.sender]);
        _s.claimable[msg.sender] -= ledger;
        emit Claimed(msg.sender, amount, to);
        listed.give(to, amount, ledger);
    }

    function _deposit(uint16 asset, uint256 amount) private {
        Listing storage listed = _s.listing(asset);
        _thaw(msg.sender);
        _s.ledger.credit(msg.sender, asset, listed.take(msg.sender, amount, Market.bits(asset)));
        emit Deposited(msg.sender, asset, amount);
    }

    /// @dev Not frozen, and no rent owed.
    function _thaw(address owner) private {
        if (isFrozen(owner)) revert Frozen(owner, _s.batch.number);
        _s.takeRent(owner, unitRent());
    }

    /* ---------------------------------------------- sealing ---------------------------------------------- */

    function open(uint256 batch_) external override nonReentrantView {
        (uint256 now_,) = _clock();
        if (batch_ != now_ || batch_ == 0) revert NotCurrent(batch_, now_);
        Lifecycle.open(_s, parameters(), uint32(batch_));
    }

    function seal(uint8 units, bytes calldata ct, uint256 batch_) external override nonReentrantView {
        _seal(units, ct, batch_);
    }

    function _seal(uint256 units, bytes calldata ct, uint256 batch_) private {
        (uint256 now_, uint256 offset) = _clock();
        if (batch_ != now_ || batch_ == 0) revert NotCurrent(batch_, now_);
        BatchWord b = _s.batch.word();
        if (b.number() != batch_) {
            Lifecycle.open(_s, parameters(), uint32(batch_));
            b = _s.batch.word();
        } else if (b.live() == 0) {
            _s.requireBacked(BOND);
        }
        if (b.closed() || offset >= LOCK_OUT) revert WrongPhase(uint32(batch_), phase(uint32(batch_)));
        if (units < MIN_UNITS || ct.length == 0 || ct.length + ITEM_HEAD > UNIT_BYTES * units) {
            revert BadUnits(units, ct.length);
        }
        Account storage account_ = _s.ledger.accounts[msg.sender];
        AccountWord a = account_.word();
        if (a.has(AccountWords.STANDING)) {
            Lifecycle.amend(_s, parameters(), units, ct);
            return;
        }
        unchecked {
            uint256 live = b.live() + 1;
            uint256 used = b.units() + units;
            if (a.batch() == batch_) {
                if (offset >= LOCK_IN) revert Committed(msg.sender, uint32(batch_));
                live -= 1;
                used -= a.units();
            }
            if (used > CAPACITY) revert BatchFull(used, CAPACITY);
            (uint256 fee, uint256 surcharge) = _fee(used, units);
            if (fee + surcharge > a.cash()) revert InsufficientBalance(fee + surcharge, a.cash());

            if (surcharge != 0) _s.burn(surcharge);
            account_.set(a.resealed(a.cash() - fee - surcharge, batch_, units));
            _s.batch.set(b.filled(live, used, b.pot() + fee));
        }
        account_.sealHash = Seal.sealHash(Seal.batchId(uint32(batch_)), ct);
        emit Sealed(uint32(batch_), msg.sender, uint8(units), ct);
    }

    function cancel() external override nonReentrantView {
        Lifecycle.cancel(_s, parameters());
    }

    function pause() external override nonReentrantView {
        Lifecycle.pause(_s, parameters());
    }

    function resume() external override nonReentrantView {
        Lifecycle.resume(_s, parameters());
    }

    function _fee(uint256 used, uint256 units) private view returns (uint256 fee, uint256 surcharge) {
        return Market.admission(used, units, CAPACITY, MIN_BASE_FEE, CASH_PER_WEI);
    }

    /* --------------------------------------------- the key --------------------------------------------- */

    function registerKey(uint32 batch_, uint256 x, uint256 y) external override onlyOperator nonReentrantView {
        if (batch_ == 0 || block.timestamp >= Phases.start(_timetable(), batch_) || _s.keyHash[batch_] != 0) {
            revert KeyTooLate(batch_);
        }
        if (!Seal.onCurve(x, y)) revert NotOnCurve(x, y);
        if (_s.keyUsed[x]) revert KeyUsed(x);
        _s.keyUsed[x] = true;
        _s.keyHash[batch_] = keccak256(abi.encode(x, y));
        emit KeyRegistered(batch_, x, y);
    }

    function reveal(uint32 batch_, uint256 secret_) external override nonReentrantView {
        Phase phase_ = phase(batch_);
        if (phase_ != Phase.REVEAL) revert WrongPhase(batch_, phase_);
        if (!Seal.opensKey(secret_, _s.keyHash[batch_])) revert WrongSecret(batch_);
        _s.secret[batch_] = secret_;
        emit KeyRevealed(batch_, secret_);
    }

    function reportLeak(uint32 batch_, uint256 secret_) external override nonReentrantView {
        Backing.reportLeak(_s, parameters(), batch_, secret_);
    }

    /* -------------------------------------------- settlement -------------------------------------------- */

    function settle(uint32 batch_, uint16[] calldata products, int256[] calldata prices, bytes calldata submissions)
        external
        override
        nonReentrantView
    {
        Settlement.settle(_s, parameters(), batch_, products, prices, submissions);
    }

    function verify(
        uint32 batch_,
        address from,
        Run calldata run,
        uint16[] calldata products,
        int256[] calldata prices,
        bytes calldata submissions
    ) external override nonReentrantView {
        Settlement.verify(_s, parameters(), batch_, from, run, products, prices, submissions);
    }

    function applyChunk(uint32 batch_, bytes32[] calldata digests, uint256 chunk, bytes calldata effects, uint256 most)
        external
        override
        nonReentrantView
    {
        Application.applyChunk(_s, batch_, digests, chunk, effects, most);
    }

    function restoreChunk(
        uint32 batch_,
        bytes32[] calldata digests,
        uint256 chunk,
        bytes calldata effects,
        uint256 most
    ) external override nonReentrantView {
        Application.restoreChunk(_s, parameters(), batch_, digests, chunk, effects, most);
    }

    function closeVoid(uint32 batch_) external override nonReentrantView {
        Backing.closeVoid(_s, parameters(), batch_);
    }

    function compensate(address owner) external override nonReentrantView {
        Backing.compensate(_s, COMPENSATION, owner);
    }

    /* -------------------------------------- listing, bond and house -------------------------------------- */

    function list(address token, uint96 lot, uint56 scale, uint8 tickBps, uint8 depthLog2, uint64 lotsCap)
        external
        override
        onlyOperator
        nonReentrantView
        returns (uint16 id)
    {
        return Backing.list(_s, parameters(), Backing.Terms(token, lot, scale, tickBps, depthLog2, lotsCap));
    }

    function resetScale(uint16 id) external override nonReentrantView {
        Backing.resetScale(_s, COVER_CAP, id);
    }

    function addBond(uint256 amount) external override nonReentrant {
        Backing.addBond(_s, amount);
    }

    function drawBond(uint256 amount, address to) external override onlyOperator nonReentrant {
        Backing.drawBond(_s, amount, to);
    }

    function fundHouse(uint16 asset, uint256 amount) external override nonReentrant {
        Backing.fundHouse(_s, asset, amount);
    }

    function drawHouse(uint16 asset, uint256 amount, address to) external override onlyOperator nonReentrant {
        Backing.drawHouse(_s, asset, amount, to);
    }

    /* ---------------------------------------------- views ---------------------------------------------- */

    function parameters() public view override returns (Parameters memory) {
        return Parameters({
            operator: OPERATOR,
            cash: CASH_TOKEN,
            cashUnit: uint96(CASH_UNIT),
            timetable: _timetable(),
            blockTime: uint32(BLOCK_TIME),
            capacity: uint32(CAPACITY),
            cashCap: uint64(CASH_CAP),
            coverCap: uint96(COVER_CAP),
            bond: uint64(BOND),
            compensation: uint64(COMPENSATION),
            cashPerWei: uint64(CASH_PER_WEI),
            minBaseFee: uint64(MIN_BASE_FEE)
        });
    }

    function product(uint16 id) external view override returns (Product memory) {
        if (id >= _s.count) revert UnknownAsset(id);
        return _s.products[id];
    }

    function listing(uint16 asset) external view override returns (Listing memory) {
        return _s.listing(asset);
    }

    function productsListed() external view override returns (uint16) {
        return _s.count;
    }

    function productCount(uint32 batch_) external view override returns (uint16) {
        return _s.productCount(batch_);
    }

    function account(address owner) external view override returns (Account memory) {
        return _s.ledger.accounts[owner];
    }

    function rentOwed(address owner) public view override returns (uint256) {
        return _s.owed(_s.ledger.accounts[owner].word(), unitRent());
    }

    function amendment(address owner) external view override returns (Amendment memory) {
        return _s.amendments[owner];
    }

    function balanceOf(address owner, uint16 asset) external view override returns (uint256 balance) {
        balance = _s.ledger.balanceOf(owner, asset);
        if (asset != CASH) return balance;
        // only between a settlement in chunks and its application can the rent be more
        uint256 owed = rentOwed(owner);
        return balance > owed ? balance - owed : 0;
    }

    function batch() external view override returns (Batch memory) {
        return _s.batch;
    }

    function standing() external view override returns (Standing memory) {
        return _s.standing;
    }

    function treasury() external view override returns (Treasury memory) {
        return _s.treasury;
    }

    function claimable(address owner) external view override returns (uint256) {
        return _s.claimable[owner];
    }

    function leastHouseCash() external view override returns (uint256) {
        return _s.leastHouseCash;
    }

    function keyHash(uint32 batch_) external view override returns (bytes32) {
        return _s.keyHash[batch_];
    }

    function secret(uint32 batch_) external view override returns (uint256) {
        return _s.secret[batch_];
    }

    function outcome(uint32 batch_) external view override returns (bytes32) {
        return _s.outcome[batch_];
    }

    function runHash(uint32 batch_, address settler) external view override returns (bytes32) {
        return _s.runs[batch_][settler];
    }

    function digestsHash() external view override returns (bytes32) {
        return _s.digests;
    }

    function currentBatch() public view override returns (uint32) {
        (uint256 now_,) = _clock();
        return uint32(now_);
    }

    function phase(uint32 batch_) public view override returns (Phase) {
        return _s.phase(_timetable(), batch_);
    }

    function isFrozen(address owner) public view override returns (bool) {
        return _s.isFrozen(_timetable(), owner);
    }

    function unitRent() public view override returns (uint256) {
        return Market.unitRent(MIN_BASE_FEE, CASH_PER_WEI);
    }

    function admissionFee(uint8 units) external view override returns (uint256 fee, uint256 surcharge) {
        uint256 used = _s.batch.number == currentBatch() ? _s.batch.units : _s.standing.units;
        return _fee(used + units, units);
    }

    function batchId(uint32 batch_) external view override returns (bytes32) {
        return Seal.batchId(batch_);
    }

    /// @dev Batch that owns this moment, 0 before the first, and {s} since its start.
    function _clock() private view returns (uint256 now_, uint256 offset) {
        unchecked {
            uint256 time = block.timestamp < GENESIS ? 0 : block.timestamp - GENESIS;
            return (time / PERIOD, time % PERIOD);
        }
    }

    function _timetable() private view returns (Timetable memory) {
        return Timetable({
            genesis: uint64(GENESIS),
            period: uint32(PERIOD),
            lockIn: uint32(LOCK_IN),
            lockOut: uint32(LOCK_OUT),
            revealFrom: uint32(REVEAL_FROM),
            keyDeadline: uint32(KEY_DEADLINE),
            exclusiveUntil: uint32(EXCLUSIVE_UNTIL),
            deadline: uint32(DEADLINE)
        });
    }
}
