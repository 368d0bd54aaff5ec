// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    Account,
    Batch,
    Deposit,
    IWalras,
    Listing,
    Parameters,
    Phase,
    Product,
    Timetable,
    Treasury
} from "./interfaces/IWalras.sol";
import {AccountWord, AccountWords} from "./libraries/AccountWords.sol";
import {BatchWord, BatchWords} from "./libraries/BatchWords.sol";
import {
    CASH,
    CASH_BITS,
    ITEM_HEAD,
    LOT_BITS,
    MAX_CAPACITY,
    MAX_PRODUCTS,
    MIN_UNITS,
    UNIT_BYTES,
    UNIT_GAS,
    VOID_GAS
} from "./libraries/Constants.sol";
import {Custody} from "./libraries/Custody.sol";
import {Ledger} from "./libraries/Ledger.sol";
import {Phases} from "./libraries/Phases.sol";
import {Seal} from "./libraries/Seal.sol";
import {Settlement} from "./libraries/Settlement.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @dev Every function: checks, effects, event, token transfer. All documentation is in {IWalras}.
/// What calls no token is `nonReentrantView`: it cannot be re-entered, it only refuses to run inside a token's call.
contract Walras is IWalras, ReentrancyGuardTransient {
    using Ledger for Ledger.Data;
    using Custody for Listing;
    using AccountWords for Account;
    using BatchWords for Batch;

    bytes32 private constant VOID_PAID = bytes32(uint256(1));
    bytes32 private constant VOID_UNPAID = bytes32(uint256(2));

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

    Batch private _batch;
    Treasury private _treasury;
    Ledger.Data private _ledger;
    mapping(uint256 id => Product) private _products;
    mapping(uint16 asset => Listing) private _listings;
    mapping(address token => bool) private _isListed;
    mapping(uint256 x => bool) private _keyUsed;
    uint16 private _count; // products listed
    uint16 private _countBefore; // products of batches before _countFrom
    uint32 private _countFrom;
    uint256 private _cover; // {cash X24} value of all custody caps
    uint256 public override leastHouseCash;
    mapping(uint32 batch => bytes32) public override keyHash;
    mapping(uint32 batch => uint256) public override secret;
    mapping(uint32 batch => bytes32) public override outcome;
    mapping(address owner => uint256) public override claimable;

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
        _listings[CASH] = Listing(p.cash, p.cashUnit, 0, uint128(p.cashCap) << uint128(CASH_BITS));
        _isListed[p.cash] = true;
        _cover = uint256(p.cashCap) << 24;
    }

    modifier onlyOperator() {
        if (msg.sender != OPERATOR) revert NotOperator(msg.sender);
        _;
    }

    /// @dev Funds behind a batch stay while it is unfinished; a void one is unfinished until it is closed.
    modifier whileFinished() {
        if (_batch.live != 0 && !_batch.settled) revert Unfinished(_batch.number);
        _;
    }

    /* --------------------------------------------- listing --------------------------------------------- */

    function list(address token, uint96 lot, uint56 scale, uint8 tickBps, uint8 depthLog2, uint64 lotsCap)
        external
        override
        onlyOperator
        nonReentrantView
        returns (uint16 id)
    {
        if (token.code.length == 0) revert NoToken(token);
        if (_isListed[token]) revert AlreadyListed(token);
        if (lot == 0) revert BadParameter("lot", lot);
        if (scale < 1 << 24 || scale > 1 << 54) revert BadParameter("scale", scale);
        if (tickBps == 0) revert BadParameter("tickBps", tickBps);
        if (depthLog2 > 52) revert BadParameter("depthLog2", depthLog2);
        if (lotsCap == 0 || lotsCap > 1 << 51) revert BadParameter("lotsCap", lotsCap);
        id = _count;
        if (id >= MAX_PRODUCTS) revert TooManyProducts();

        uint32 now_ = currentBatch();
        if (_countFrom <= now_) (_countBefore, _countFrom) = (id, now_ + 1);
        _count = id + 1;
        _isListed[token] = true;
        _listings[id] = Listing(token, lot, 0, uint128(lotsCap) << uint128(LOT_BITS));
        uint8 house = _setScale(0, scale, 0, lotsCap);
        _products[id] = Product(0, uint80(uint256(scale) << 16), scale, tickBps, depthLog2, house);
        ++_treasury.shortHouses;
        emit Listed(id, token, lot, now_ + 1);
    }

    function resetScale(uint16 id) external override nonReentrantView whileFinished {
        if (id >= _count) revert UnknownAsset(id);
        Product memory p = _products[id];
        uint256 target = uint256(p.referencePrice) >> 16;
        uint256 next = Math.max(1 << 24, Math.min(1 << 54, target));
        if (next < 4 * uint256(p.scale) && 4 * next > p.scale) revert ScaleHolds(p.scale, target);

        bool wasShort = p.house < uint256(1) << (p.houseLog2 + LOT_BITS);
        p.houseLog2 = _setScale(p.scale, uint56(next), p.houseLog2, _listings[id].cap >> LOT_BITS);
        p.scale = uint56(next);
        _products[id] = p;
        _countShort(wasShort, p.house < uint256(1) << (p.houseLog2 + LOT_BITS));
        emit ScaleReset(id, p.scale);
    }

    /// @dev Keeps the caps' value and the house's least cash in step with a scale.
    /// @return house log2 of the least holding: at least ⌈√(2·coverCap·ε)⌉ + 1 lots, ε = 2^-10/scale (MATHEMATICS §5)
    function _setScale(uint56 old, uint56 scale, uint8 oldHouse, uint256 lotsCap) private returns (uint8 house) {
        _cover = _cover + 8 * uint256(scale) * lotsCap - 8 * uint256(old) * lotsCap;
        if (_cover > COVER_CAP << 24) revert BadParameter("coverCap", _cover >> 24);
        uint256 least = Math.sqrt(Math.ceilDiv(2 * COVER_CAP << 14, scale), Math.Rounding.Ceil) + 1;
        house = uint8(Math.log2(least, Math.Rounding.Ceil));
        leastHouseCash = leastHouseCash + (8 * uint256(scale) << (16 + house));
        if (old != 0) leastHouseCash -= 8 * uint256(old) << (16 + oldHouse);
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
        address token = _listing(asset).token;
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
        Listing storage listed = _listing(asset);
        _requireThawed(msg.sender);
        uint256 ledger;
        (amount, ledger) = _payable(listed, asset, amount, _ledger.balanceOf(msg.sender, asset));
        _ledger.debit(msg.sender, asset, ledger);
        emit Withdrawn(msg.sender, asset, amount, to);
        listed.give(to, amount, ledger);
    }

    function claim(address to) external override nonReentrant {
        Listing storage listed = _listings[CASH];
        (uint256 amount, uint256 ledger) = _payable(listed, CASH, type(uint256).max, claimable[msg.sender]);
        claimable[msg.sender] -= ledger;
        emit Claimed(msg.sender, amount, to);
        listed.give(to, amount, ledger);
    }

    function _deposit(uint16 asset, uint256 amount) private {
        Listing storage listed = _listing(asset);
        _requireThawed(msg.sender);
        _ledger.credit(msg.sender, asset, listed.take(msg.sender, amount, _bits(asset)));
        emit Deposited(msg.sender, asset, amount);
    }

    /// @dev Base units to send and ledger units to debit, up; the maximum stands for all whole base units of `available`.
    function _payable(Listing storage listed, uint16 asset, uint256 amount, uint256 available)
        private
        view
        returns (uint256, uint256 ledger)
    {
        uint256 bits = _bits(asset);
        if (amount == type(uint256).max) amount = Custody.toBaseDown(available, listed.lot, bits);
        ledger = Custody.toLedgerUp(amount, listed.lot, bits);
        if (ledger > available) revert InsufficientBalance(ledger, available);
        return (amount, ledger);
    }

    function _requireThawed(address owner) private view {
        if (isFrozen(owner)) revert Frozen(owner, _batch.number);
    }

    /* ---------------------------------------------- sealing ---------------------------------------------- */

    function seal(uint8 units, bytes calldata ct, uint256 batch_) external override nonReentrantView {
        _seal(units, ct, batch_);
    }

    function _seal(uint256 units, bytes calldata ct, uint256 batch_) private {
        (uint256 now_, uint256 offset) = _clock();
        if (batch_ != now_ || batch_ == 0) revert NotCurrent(batch_, now_);
        BatchWord b = _batch.word();
        if (b.number() != batch_) b = _next(b, uint32(batch_));
        if (b.live() == 0) _requireBacked();
        if (b.closed() || offset >= LOCK_OUT) revert WrongPhase(uint32(batch_), phase(uint32(batch_)));
        Account storage account_ = _ledger.accounts[msg.sender];
        AccountWord a = account_.word();
        unchecked {
            if (units < MIN_UNITS || ct.length == 0 || ct.length + ITEM_HEAD > UNIT_BYTES * units) {
                revert BadUnits(units, ct.length);
            }
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

            if (surcharge != 0) _burn(surcharge);
            account_.set(a.resealed(a.cash() - fee - surcharge, batch_, units));
            _batch.set(b.filled(batch_, live, used, b.pot() + fee));
        }
        account_.sealHash = Seal.sealHash(Seal.batchId(uint32(batch_)), ct);
        emit Sealed(uint32(batch_), msg.sender, uint8(units), ct);
    }

    /// @dev The empty batch `batch_`, which needs a key and an end of the one before.
    function _next(BatchWord b, uint32 batch_) private returns (BatchWord) {
        if (b.live() != 0 && !_batch.settled) revert VoidUnclosed(uint32(b.number()));
        if (keyHash[batch_] == 0) revert KeyMissing(batch_);
        if (outcome[batch_] != 0) revert WrongPhase(batch_, Phase.VOID);
        if (b.pot() != 0) _burn(b.pot()); // everybody cancelled
        return b.filled(batch_, 0, 0, 0);
    }

    /// @dev The first live seal: from here nothing that backs the batch can be taken away.
    function _requireBacked() private view {
        Treasury memory t = _treasury;
        if (t.bond < BOND << CASH_BITS) revert BondShort(t.bond, BOND << CASH_BITS);
        if (t.shortHouses != 0 || t.houseCash < leastHouseCash) {
            revert HouseUnderfunded(t.shortHouses, t.houseCash, leastHouseCash);
        }
    }

    /// @dev Burnt cash stays here for ever and is nobody's: it leaves custody.
    function _burn(uint256 amount) private {
        _treasury.burnt += uint128(amount);
        _listings[CASH].custody -= uint128(amount);
    }

    function cancel() external override nonReentrantView {
        Account storage a = _ledger.accounts[msg.sender];
        Batch memory b = _batch;
        if (a.batch == 0 || a.batch != b.number) revert NotLive(msg.sender);
        Phase phase_ = phase(b.number);
        if (phase_ != Phase.OPEN) revert WrongPhase(b.number, phase_);
        --b.live;
        b.units -= a.units;
        (a.batch, a.units) = (0, 0);
        _batch = b;
        emit Cancelled(b.number, msg.sender);
    }

    /// @dev Fee to the settler and surcharge to nobody, which doubles with every eighth above half capacity. docs/SPEC.md §8.
    function _fee(uint256 used, uint256 units) private view returns (uint256 fee, uint256 surcharge) {
        uint256 baseFee = block.basefee > MIN_BASE_FEE ? block.basefee : MIN_BASE_FEE;
        unchecked {
            fee = units * UNIT_GAS * baseFee * CASH_PER_WEI; // a base fee of 2^100 wei is not of this world
        }
        if (2 * used > CAPACITY) surcharge = fee * ((1 << (Math.ceilDiv(8 * used, CAPACITY) - 4)) - 1);
    }

    /* --------------------------------------------- the key --------------------------------------------- */

    function registerKey(uint32 batch_, uint256 x, uint256 y) external override onlyOperator nonReentrantView {
        if (batch_ == 0 || block.timestamp >= Phases.start(_timetable(), batch_) || keyHash[batch_] != 0) {
            revert KeyTooLate(batch_);
        }
        if (!Seal.onCurve(x, y)) revert NotOnCurve(x, y);
        if (_keyUsed[x]) revert KeyUsed(x);
        _keyUsed[x] = true;
        keyHash[batch_] = keccak256(abi.encode(x, y));
        emit KeyRegistered(batch_, x, y);
    }

    function reveal(uint32 batch_, uint256 secret_) external override nonReentrantView {
        Phase phase_ = phase(batch_);
        if (phase_ != Phase.REVEAL) revert WrongPhase(batch_, phase_);
        if (!Seal.opensKey(secret_, keyHash[batch_])) revert WrongSecret(batch_);
        secret[batch_] = secret_;
        emit KeyRevealed(batch_, secret_);
    }

    function reportLeak(uint32 batch_, uint256 secret_) external override nonReentrantView {
        Phase phase_ = phase(batch_);
        if (phase_ > Phase.LOCKED_IN) revert WrongPhase(batch_, phase_);
        if (!Seal.opensKey(secret_, keyHash[batch_])) revert WrongSecret(batch_);
        secret[batch_] = secret_;
        emit KeyLeaked(batch_, msg.sender, secret_);
        _slash(batch_);
    }

    /* -------------------------------------------- settlement -------------------------------------------- */

    function settle(uint32 batch_, uint16[] calldata products, int256[] calldata prices, bytes calldata submissions)
        external
        override
        nonReentrantView
    {
        Batch memory b = _batch;
        if (b.number != batch_ || b.live == 0) revert NothingToSettle(batch_);
        Phase phase_ = phase(batch_);
        if (phase_ != Phase.CLEARING && phase_ != Phase.FALLBACK) revert WrongPhase(batch_, phase_);
        if (phase_ == Phase.CLEARING && msg.sender != OPERATOR) revert NotOperator(msg.sender);

        Settlement.Terms memory terms = Settlement.Terms({
            batch: batch_,
            id: Seal.batchId(batch_),
            secret: secret[batch_],
            lockOut: Phases.start(_timetable(), batch_) + LOCK_OUT,
            productCount: productCount(batch_),
            live: b.live
        });
        Settlement.run(_ledger, _products, _treasury, terms, products, prices, submissions);

        b.settled = true;
        claimable[msg.sender] += b.pot;
        emit Credited(msg.sender, b.pot);
        b.pot = 0;
        _batch = b;
        outcome[batch_] = keccak256(abi.encode(products, prices));
    }

    /* ------------------------------------------- void batches ------------------------------------------- */

    function closeVoid(uint32 batch_) external override nonReentrantView {
        Batch memory b = _batch;
        if (b.number != batch_ || b.live == 0 || phase(batch_) != Phase.VOID) revert NothingToClose(batch_);
        _slash(batch_);
    }

    /// @dev Bond: the caller's gas, then every live account's compensation if it holds for all, the rest and the pot to nobody.
    function _slash(uint32 batch_) private {
        Batch memory b = _batch;
        Treasury memory t = _treasury;
        uint256 live = b.number == batch_ ? b.live : 0;
        uint256 reward = Math.min(t.bond, VOID_GAS * block.basefee * CASH_PER_WEI);
        uint256 due = live * COMPENSATION << CASH_BITS;
        bool paid = due != 0 && due <= t.bond - reward;
        if (!paid) due = 0;
        uint256 burnt = t.bond - reward - due;
        if (b.number == batch_) {
            burnt += b.pot;
            (b.live, b.units, b.pot, b.closed) = (0, 0, 0, true);
            _batch = b;
        }
        (_treasury.bond, _treasury.reserved) = (0, t.reserved + uint96(due));
        _burn(burnt);
        outcome[batch_] = paid ? VOID_PAID : VOID_UNPAID;
        claimable[msg.sender] += reward;
        emit Credited(msg.sender, reward);
        emit BondChanged(0);
        emit VoidClosed(batch_, msg.sender, reward, due, burnt);
    }

    function compensate(address owner) external override nonReentrantView {
        Account storage a = _ledger.accounts[owner];
        uint32 batch_ = a.batch;
        if (batch_ == 0 || outcome[batch_] != VOID_PAID) revert NothingDue(owner);
        uint256 amount = COMPENSATION << CASH_BITS;
        a.batch = 0;
        _treasury.reserved -= uint96(amount);
        claimable[owner] += amount;
        emit Credited(owner, amount);
    }

    /* ------------------------------------------ bond and house ------------------------------------------ */

    function addBond(uint256 amount) external override nonReentrant {
        _treasury.bond += uint96(_listings[CASH].take(msg.sender, amount, CASH_BITS));
        emit BondChanged(_treasury.bond);
    }

    function drawBond(uint256 amount, address to) external override onlyOperator nonReentrant whileFinished {
        Listing storage listed = _listings[CASH];
        uint256 ledger;
        (amount, ledger) = _payable(listed, CASH, amount, _treasury.bond);
        _treasury.bond -= uint96(ledger);
        emit BondChanged(_treasury.bond);
        listed.give(to, amount, ledger);
    }

    function fundHouse(uint16 asset, uint256 amount) external override nonReentrant {
        uint256 ledger = _listing(asset).take(msg.sender, amount, _bits(asset));
        _setHouse(asset, _house(asset) + ledger);
    }

    function drawHouse(uint16 asset, uint256 amount, address to)
        external
        override
        onlyOperator
        nonReentrant
        whileFinished
    {
        Listing storage listed = _listing(asset);
        uint256 holding = _house(asset);
        uint256 least = asset == CASH ? leastHouseCash : uint256(1) << (_products[asset].houseLog2 + LOT_BITS);
        uint256 ledger;
        (amount, ledger) = _payable(listed, asset, amount, holding > least ? holding - least : 0);
        _setHouse(asset, holding - ledger);
        listed.give(to, amount, ledger);
    }

    function _house(uint16 asset) private view returns (uint256) {
        return asset == CASH ? _treasury.houseCash : _products[asset].house;
    }

    function _setHouse(uint16 asset, uint256 holding) private {
        if (asset == CASH) {
            _treasury.houseCash = uint96(holding);
        } else {
            Product storage p = _products[asset];
            uint256 least = uint256(1) << (p.houseLog2 + LOT_BITS);
            _countShort(p.house < least, holding < least);
            p.house = uint96(holding);
        }
        emit HouseChanged(asset, holding);
    }

    function _countShort(bool before, bool later) private {
        if (before && !later) --_treasury.shortHouses;
        if (!before && later) ++_treasury.shortHouses;
    }

    /* ---------------------------------------------- views ---------------------------------------------- */

    function parameters() external view override returns (Parameters memory) {
        return Parameters({
            operator: OPERATOR,
            cash: CASH_TOKEN,
            cashUnit: uint96(CASH_UNIT),
            timetable: _timetable(),
            blockTime: uint32(BLOCK_TIME),
            capacity: uint16(CAPACITY),
            cashCap: uint64(CASH_CAP),
            coverCap: uint96(COVER_CAP),
            bond: uint64(BOND),
            compensation: uint64(COMPENSATION),
            cashPerWei: uint64(CASH_PER_WEI),
            minBaseFee: uint64(MIN_BASE_FEE)
        });
    }

    function product(uint16 id) external view override returns (Product memory) {
        if (id >= _count) revert UnknownAsset(id);
        return _products[id];
    }

    function listing(uint16 asset) external view override returns (Listing memory) {
        return _listing(asset);
    }

    function productsListed() external view override returns (uint16) {
        return _count;
    }

    function productCount(uint32 batch_) public view override returns (uint16) {
        return batch_ < _countFrom ? _countBefore : _count;
    }

    function account(address owner) external view override returns (Account memory) {
        return _ledger.accounts[owner];
    }

    function balanceOf(address owner, uint16 asset) external view override returns (uint256) {
        return _ledger.balanceOf(owner, asset);
    }

    function batch() external view override returns (Batch memory) {
        return _batch;
    }

    function treasury() external view override returns (Treasury memory) {
        return _treasury;
    }

    function currentBatch() public view override returns (uint32) {
        (uint256 now_,) = _clock();
        return uint32(now_);
    }

    function phase(uint32 batch_) public view override returns (Phase) {
        if (_batch.number == batch_ && _batch.settled) return Phase.SETTLED;
        bytes32 result = outcome[batch_];
        if (result == VOID_PAID || result == VOID_UNPAID) return Phase.VOID;
        if (result != 0) return Phase.SETTLED;
        return Phases.phaseAt(_timetable(), batch_, block.timestamp, secret[batch_] != 0);
    }

    function isFrozen(address owner) public view override returns (bool) {
        uint32 batch_ = _ledger.accounts[owner].batch;
        if (batch_ == 0 || batch_ != _batch.number) return false;
        Phase phase_ = phase(batch_);
        return phase_ >= Phase.LOCKED_IN && phase_ <= Phase.FALLBACK;
    }

    function admissionFee(uint8 units) external view override returns (uint256 fee, uint256 surcharge) {
        uint256 used = _batch.number == currentBatch() ? _batch.units : 0;
        return _fee(used + units, units);
    }

    function batchId(uint32 batch_) external view override returns (bytes32) {
        return Seal.batchId(batch_);
    }

    function _listing(uint16 asset) private view returns (Listing storage listed) {
        if (asset != CASH && asset >= _count) revert UnknownAsset(asset);
        return _listings[asset];
    }

    function _bits(uint16 asset) private pure returns (uint256) {
        return asset == CASH ? CASH_BITS : LOT_BITS;
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
