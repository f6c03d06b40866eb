"""Stand-ins for the social providers Kakao and Naver."""
