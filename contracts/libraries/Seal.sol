// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Time-lapse sealing on secp256k1 with `ecrecover` as curve multiplier. docs/SPEC.md §4.
library Seal {
    uint256 internal constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint256 internal constant FIELD = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F;
    uint256 internal constant GENERATOR_X = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798;
    bytes32 internal constant TAG_BATCH = keccak256("walras.batch.v1");
    bytes32 internal constant TAG_KEY = keccak256("walras.key.v1");
    bytes32 internal constant TAG_STREAM = keccak256("walras.stream.v1");
    bytes32 internal constant TAG_SEAL = keccak256("walras.seal.v1");
    bytes32 internal constant TAG_STAND = keccak256("walras.stand.v1");
    uint256 internal constant MAGIC = 0x57414c31; // "WAL1"
    uint256 internal constant POINT = 33; // {byte} R
    uint256 internal constant BODY = 69; // {byte} R, salt, magic

    function batchId(uint32 batch) internal view returns (bytes32) {
        return keccak256(abi.encode(TAG_BATCH, block.chainid, address(this), batch));
    }

    function sealHash(bytes32 id, bytes calldata ct) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(TAG_SEAL, id, ct));
    }

    function onCurve(uint256 x, uint256 y) internal pure returns (bool) {
        return x < FIELD && y < FIELD && mulmod(y, y, FIELD) == addmod(mulmod(mulmod(x, x, FIELD), x, FIELD), 7, FIELD);
    }

    /// @dev Whether `secret`·G is the point whose coordinates hash to `keyHash`: an address is the low end of that hash.
    function opensKey(uint256 secret, bytes32 keyHash) internal pure returns (bool) {
        if (secret == 0 || secret >= ORDER || keyHash == 0) return false;
        return address(uint160(uint256(keyHash))) == multiply(27, GENERATOR_X, secret);
    }

    /// @return address of `scalar`·(x, parity of v), zero if there is no such point or x ≥ ORDER
    function multiply(uint8 v, uint256 x, uint256 scalar) internal pure returns (address) {
        return ecrecover(bytes32(0), v, bytes32(x), bytes32(mulmod(scalar, x, ORDER)));
    }

    /// @dev Room for the longest ciphertext with its tags, and for one hash input.
    function allocate(uint256 longest) internal pure returns (uint256 buffer) {
        assembly ("memory-safe") {
            buffer := mload(0x40)
            // 256 of scratch, 64 before the ciphertext, 64 so that whole words may be read and written behind it
            mstore(0x40, add(buffer, and(add(longest, 415), not(31))))
        }
    }

    /// @dev Copies `length` bytes of calldata behind two words. @return pos where they start
    function load(uint256 buffer, bytes32 tag, bytes32 id, uint256 source, uint256 length)
        internal
        pure
        returns (uint256 pos)
    {
        assembly ("memory-safe") {
            let p := add(buffer, 256)
            mstore(p, tag)
            mstore(add(p, 32), id)
            pos := add(p, 64)
            calldatacopy(pos, source, length)
        }
    }

    /// @dev Hash of `length` bytes of what {load} left at `pos`: a seal hash or a standing hash.
    function hash(uint256 pos, uint256 length) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(sub(pos, 64), add(length, 64))
        }
    }

    /// @dev Standing hash of the body at `pos` and so many bytes of progress behind it; overwrites the two words before it.
    function standHash(uint256 pos, uint256 length, uint256 behind) internal pure returns (bytes32) {
        bytes32 tag = TAG_STAND;
        assembly ("memory-safe") {
            mstore(sub(pos, 64), tag)
            mstore(sub(pos, 32), length)
        }
        unchecked {
            return hash(pos, length + behind);
        }
    }

    /// @dev Decrypts in place and leaves what is behind. @return body where the body starts, 0 if the ciphertext does not open
    function open(uint256 buffer, uint256 pos, uint256 length, bytes32 id, uint256 secret, address account)
        internal
        pure
        returns (uint256 body)
    {
        if (length < BODY) return 0;
        uint256 first;
        uint256 x;
        assembly ("memory-safe") {
            first := mload(pos)
            x := mload(add(pos, 1))
        }
        uint256 parity = first >> 248;
        if ((parity != 2 && parity != 3) || x == 0 || x >= ORDER) return 0;
        address shared = multiply(uint8(25 + parity), x, secret);
        if (shared == address(0)) return 0;
        bytes32 tag = TAG_KEY;
        bytes32 stream = TAG_STREAM;
        uint256 magic;
        assembly ("memory-safe") {
            // key = H(TAG_KEY, S, R, account, id): each store covers the surplus of the one before
            mstore(buffer, tag)
            mstore(add(buffer, 32), shared)
            mstore(add(buffer, 64), first)
            mstore(add(buffer, 65), x)
            mstore(add(buffer, 97), shl(96, account))
            mstore(add(buffer, 117), id)
            mstore(add(buffer, 32), keccak256(buffer, 149))
            mstore(buffer, stream)
            mstore(add(buffer, 64), 0)
            let end := add(pos, length)
            let behind := mload(end) // the last word of the stream reaches into it
            for { let p := add(pos, 33) } lt(p, end) { p := add(p, 32) } {
                mstore(p, xor(mload(p), keccak256(buffer, 96)))
                mstore(add(buffer, 64), add(mload(add(buffer, 64)), 1))
            }
            mstore(end, behind)
            magic := shr(224, mload(add(pos, 65)))
        }
        if (magic != MAGIC) return 0;
        return pos + BODY;
    }
}
